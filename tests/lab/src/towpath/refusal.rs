//! A worker that must not start.

use anyhow::{Context, Result, ensure};

use super::Worker;

// === impl Worker ===

impl Worker {
    /// Runs it, and checks that it ends by itself with code 2 and these sentences, no others: each has all its parts, in their order. Answers all it
    /// has printed to standard error.
    pub fn refuses(&self, lines: &[&[&str]]) -> Result<String> {
        let output = self.command()?.output()?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(2),
            "exit code {} instead of 2: {stderr}",
            output.status
        );
        let errors: Vec<&str> = stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        ensure!(
            errors.len() == lines.len(),
            "{} sentences instead of {}: {errors:#?}",
            errors.len(),
            lines.len()
        );
        for (error, parts) in errors.iter().zip(lines) {
            let mut rest = *error;
            for part in *parts {
                let at = rest
                    .find(part)
                    .with_context(|| format!("{part:?} is missing, or not in this order, in {error:?}"))?;
                rest = &rest[at + part.len()..];
            }
        }
        Ok(stderr)
    }
}

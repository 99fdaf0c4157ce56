//! `towpath worker resolve` with the files of a worker.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Worker, binary};

// === impl Worker ===

impl Worker {
    /// Decides about the partitions of the worker's first connector; answers what is printed to standard output.
    pub fn resolve(&self, arguments: &[&str]) -> Result<String> {
        let (code, stdout, stderr) = self.run_resolve(arguments)?;
        ensure!(
            code == Some(0),
            "exit code {code:?} of {arguments:?}: {stdout}{stderr}"
        );
        Ok(stdout)
    }

    /// As [`Worker::resolve`], where it must be refused as wrong input; answers the sentences.
    pub fn resolve_refused(&self, arguments: &[&str]) -> Result<String> {
        let (code, stdout, stderr) = self.run_resolve(arguments)?;
        ensure!(
            code == Some(2),
            "exit code {code:?} of {arguments:?}: {stdout}{stderr}"
        );
        let errors: Vec<&str> = stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        Ok(errors.join("\n"))
    }

    fn run_resolve(&self, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
        let connector = self.connectors.first().context("the worker has no connector")?;
        let output = Command::new(binary()?)
            .args(["worker", "resolve", "--config"])
            .arg(self.properties_file())
            .arg("--connector")
            .arg(connector)
            .args(arguments)
            .current_dir(self.dir.path())
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    }
}

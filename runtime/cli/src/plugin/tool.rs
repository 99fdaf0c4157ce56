//! Programs of a language's toolchain.

use std::{
    io::{self, ErrorKind},
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, anyhow};

use crate::failure::Failure;

/// A program that a build needs.
pub(super) struct Tool {
    pub program: &'static str,
    /// How to install it, where it is missing.
    pub remedy: &'static str,
}

// === impl Tool ===

impl Tool {
    /// To be completed and run: both of its outputs go to stderr, so that stdout has what a command was asked for.
    pub(super) fn command(&self) -> Command {
        self.command_at(Path::new(self.program))
    }

    /// The same, where it is not on the `PATH`.
    pub(super) fn command_at(&self, path: &Path) -> Command {
        let mut command = Command::new(path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::from(io::stderr()))
            .stderr(Stdio::inherit());
        command
    }

    /// What it wrote, where its output is piped. It has said itself what went wrong.
    pub(super) fn run(&self, command: &mut Command) -> Result<Output, Failure> {
        let child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!("{} was not found: {}", self.program, self.remedy),
            _ => anyhow!(error).context(format!("cannot run {}", self.program)),
        })?;
        let output = child
            .wait_with_output()
            .with_context(|| format!("cannot wait for {}", self.program))?;
        match output.status.success() {
            true => Ok(output),
            false => Err(anyhow!("{} failed ({}), see above", self.program, output.status).into()),
        }
    }
}

//! `towpath worker resolve`, `towpath worker offsets` and `towpath topic reseed` with the files of a worker.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{Worker, binary};
use crate::wait;

// === impl Worker ===

impl Worker {
    /// Decides about the partitions of the worker's first connector; answers what is printed to standard output.
    pub fn resolve(&self, arguments: &[&str]) -> Result<String> {
        self.offline(["worker", "resolve"], arguments)
    }

    /// Lists or changes its positions, in the same way. A file is looked for among the worker's.
    pub fn offsets(&self, arguments: &[&str]) -> Result<String> {
        self.offline(["worker", "offsets"], arguments)
    }

    /// As [`Worker::offsets`] with these to be altered.
    pub fn alter_offsets(&self, offsets: &serde_json::Value, arguments: &[&str]) -> Result<String> {
        fs::write(self.dir.path().join("offsets.json"), offsets.to_string())?;
        self.offsets(&[&["alter", "offsets.json"], arguments].concat())
    }

    /// As [`Worker::resolve`], killed (SIGKILL) after this time unless it has ended. Answers whether it was.
    pub fn resolve_killed(&self, arguments: &[&str], after: Duration) -> Result<bool> {
        let mut child = self
            .offline_command(["worker", "resolve"], arguments)?
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        wait::pause(after);
        let is_killed = child.try_wait()?.is_none();
        if is_killed {
            child.kill()?;
            child.wait()?;
        }
        Ok(is_killed)
    }

    fn offline(&self, command: [&str; 2], arguments: &[&str]) -> Result<String> {
        let (code, stdout, stderr) = self.run_offline(command, arguments)?;
        ensure!(
            code == Some(0),
            "exit code {code:?} of {arguments:?}: {stdout}{stderr}"
        );
        Ok(stdout)
    }

    /// As [`Worker::resolve`], where it must be refused as wrong input; answers the sentences.
    pub fn resolve_refused(&self, arguments: &[&str]) -> Result<String> {
        self.offline_refused(["worker", "resolve"], arguments)
    }

    pub fn offsets_refused(&self, arguments: &[&str]) -> Result<String> {
        self.offline_refused(["worker", "offsets"], arguments)
    }

    /// Mirrors a topic anew, while the worker does not run.
    pub fn reseed(&self, arguments: &[&str]) -> Result<String> {
        self.offline(["topic", "reseed"], arguments)
    }

    pub fn reseed_refused(&self, arguments: &[&str]) -> Result<String> {
        self.offline_refused(["topic", "reseed"], arguments)
    }

    fn offline_refused(&self, command: [&str; 2], arguments: &[&str]) -> Result<String> {
        let (code, stdout, stderr) = self.run_offline(command, arguments)?;
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

    fn run_offline(&self, command: [&str; 2], arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
        let output = self.offline_command(command, arguments)?.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    }

    fn offline_command(&self, command: [&str; 2], arguments: &[&str]) -> Result<Command> {
        let connector = self.connectors.first().context("the worker has no connector")?;
        let mut towpath = Command::new(binary()?);
        towpath
            .args(command)
            .arg("--config")
            .arg(self.properties_file())
            .arg("--connector")
            .arg(connector)
            .args(arguments)
            .current_dir(self.dir.path());
        Ok(towpath)
    }
}

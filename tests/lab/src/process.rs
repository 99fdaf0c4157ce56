//! A program that is started for a test and does not outlive it, however the test ends.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that spawned dies, so it would kill brokers of a finished test thread. Instead each
//! program has a watchdog, a `sh` that reads from a pipe of ours: when this process ends (SIGKILL too), the kernel
//! closes the pipe, `read` returns, and the watchdog kills the program and removes its folder. No step leaves a gap:
//!
//! 1. the program is started as a `sh` that waits for a line on its own pipe (if we die here, it reads the end and exits);
//! 2. the watchdog is started with its pid;
//! 3. the line is sent, and `sh` becomes the program by `exec`, so the pid stays.
//!
//! The watchdog is ended before its program is reaped: it never kills a pid that was given to someone else.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::wait;

/// A running program. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    watchdog: Child,
    log: PathBuf,
    /// Set once it was reaped: its pid may be someone else's by now.
    status: Option<ExitStatus>,
}

const GATE: &str = r#"read -r go && exec "$@" </dev/null"#;
const WATCHDOG: &str =
    r#"trap '' INT TERM HUP; read -r x; kill -9 "$1"; if [ -n "$2" ]; then rm -rf -- "$2"; fi"#;

// === impl Process ===

impl Process {
    /// Starts a program with its output appended to `log`. Should this process die, the program is killed, and `folder` removed.
    pub fn spawn(name: &str, command: &Command, log: &Path, folder: Option<&Path>) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut gate = Command::new("sh");
        gate.args(["-c", GATE, name])
            .arg(command.get_program())
            .args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => gate.env(key, value),
                None => gate.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            gate.current_dir(dir);
        }
        let mut child = gate
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start sh for {name}"))?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog", &child.id().to_string()])
            .arg(folder.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start a watchdog for {name}"))?;
        child
            .stdin
            .take()
            .context("the gate was started with a pipe")?
            .write_all(b"go\n")?;
        Ok(Self {
            name: name.to_owned(),
            child,
            watchdog,
            log: log.to_owned(),
            status: None,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of what it wrote, and as many errors before them.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        let (before, tail) = all.split_at(all.len().saturating_sub(lines));
        // A JVM says why it ends long before it ends.
        let errors = before
            .iter()
            .filter(|line| line.contains(" ERROR ") || line.contains(" FATAL "));
        errors
            .take(lines)
            .chain(tail)
            .copied()
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// How it ended, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        // try_wait reaps: from then on its pid is not ours, so the watchdog has to be gone before.
        if self.status.is_none() && is_zombie(self.child.id()) {
            self.dismiss_watchdog();
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Asks it to end (SIGTERM) and waits.
    pub fn stop(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait(deadline)
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        wait::until(&format!("the end of {name}"), deadline, || self.ended())
    }

    /// Ends it at once (SIGKILL) and waits until it is gone. Nothing happens when it has ended already.
    pub fn kill(&mut self) -> Result<()> {
        if self.status.is_none() {
            self.dismiss_watchdog();
            self.child.kill()?;
            self.status = Some(self.child.wait()?);
        }
        Ok(())
    }

    /// What happens when the lab is killed: nobody ends the program in order, the pipe to its watchdog just closes.
    pub fn abandon(mut self) {
        drop(self.watchdog.stdin.take());
        std::mem::forget(self);
    }

    /// Sends a signal by name (`STOP`, `CONT`, `TERM`). It has not been reaped, so its pid is its own.
    pub fn signal(&mut self, signal: &str) -> Result<()> {
        if let Some(status) = self.ended()? {
            bail!("{} has ended already: {status}", self.name);
        }
        let status = Command::new("sh")
            .args([
                "-c",
                r#"kill -s "$1" "$2""#,
                "kill",
                signal,
                &self.pid().to_string(),
            ])
            .status()?;
        if !status.success() {
            bail!("cannot send SIG{signal} to {}", self.name);
        }
        Ok(())
    }

    /// Resident memory now, in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.status_kbytes("VmRSS:").map(|kbytes| kbytes * 1024)
    }

    /// The most resident memory so far, in bytes.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        self.status_kbytes("VmHWM:").map(|kbytes| kbytes * 1024)
    }

    /// CPU time used so far, user and system, of all its threads.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // The second field is the name in brackets and may contain spaces; utime and stime are fields 14 and 15.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<u64>().ok())
                .context("/proc/<pid>/stat is too short")
        };
        // USER_HZ is 100 on every Linux that Rust runs on.
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
    }

    fn status_kbytes(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix(field)?
                    .trim()
                    .strip_suffix("kB")?
                    .trim()
                    .parse()
                    .ok()
            })
            .with_context(|| format!("/proc/<pid>/status of {} has no {field}", self.name))
    }

    fn dismiss_watchdog(&mut self) {
        // An error means that it is gone already, which is what is wanted.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// True when a program that was not reaped yet has ended.
fn is_zombie(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => true,
    }
}

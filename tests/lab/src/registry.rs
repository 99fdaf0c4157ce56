//! A real schema registry with Confluent's API: Apicurio, from Maven Central, on a free loopback port and in memory.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{broker::ports, environment, kafka, process::Process, wait};

const VERSION: &str = "3.0.9";
const READY: Duration = Duration::from_secs(180);
/// Where it speaks as Confluent's does.
const PATH: &str = "/apis/ccompat/v7";

/// A registry. Dropping it ends it; what it holds is gone with it.
pub struct Registry {
    port: u16,
    process: Option<Process>,
    // After the process: fields are dropped in order.
    dir: TempDir,
}

// === impl Registry ===

impl Registry {
    /// Starts one, and does not wait for it.
    pub fn start(name: &str) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("towpath-registry-{name}-"))
            .tempdir()?;
        let mut registry = Self {
            port: ports::free(1)?[0],
            process: None,
            dir,
        };
        registry.start_again()?;
        Ok(registry)
    }

    /// After [`Registry::kill`], on the same port: it is empty then.
    pub fn start_again(&mut self) -> Result<()> {
        let home = fetch()?;
        let mut command = Command::new(kafka::find_java()?);
        command
            .args([
                "-Xmx384m",
                "-XX:TieredStopAtLevel=1",
                "-Dquarkus.http.host=127.0.0.1",
            ])
            .arg(format!("-Dquarkus.http.port={}", self.port))
            .arg("-Dquarkus.http.access-log.enabled=false")
            .arg("-jar")
            .arg(home.join(format!("apicurio-registry-app-{VERSION}-runner.jar")))
            .current_dir(self.dir.path());
        let log = self.dir.path().join("registry.log");
        self.process = Some(Process::spawn("registry", &command, &log, Some(self.dir.path()))?);
        Ok(())
    }

    pub fn kill(&mut self) -> Result<()> {
        match &mut self.process {
            Some(process) => process.kill(),
            None => Ok(()),
        }
    }

    /// For clients.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    pub fn wait_until_ready(&self) -> Result<()> {
        wait::until("the schema registry answers", READY, || {
            Ok(self.ask("GET", "/subjects", None).ok().map(drop))
        })
    }

    /// Registers a schema and answers its id.
    pub fn register(&self, subject: &str, schema: &Value) -> Result<u32> {
        self.register_as(subject, &json!({"schema": schema.to_string()}))
    }

    /// As [`Registry::register`], with references and whatever else the body may have.
    pub fn register_as(&self, subject: &str, body: &Value) -> Result<u32> {
        let answer = self.ask("POST", &format!("/subjects/{subject}/versions"), Some(body))?;
        let id = answer["id"]
            .as_u64()
            .with_context(|| format!("no id in {answer}"))?;
        Ok(u32::try_from(id)?)
    }

    /// Sets a subject's compatibility level.
    pub fn set_compatibility(&self, subject: &str, level: &str) -> Result<()> {
        let body = json!({"compatibility": level});
        self.ask("PUT", &format!("/config/{subject}"), Some(&body))
            .map(drop)
    }

    /// One request by hand: the lab must not find the product's mistakes in its own client.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            stream,
            "{method} {PATH}{path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("an answer without a body")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(status.starts_with('2'), "{method} {path}: {answer}");
        match body.trim() {
            "" => Ok(Value::Null),
            body => serde_json::from_str(body).with_context(|| answer.clone()),
        }
    }
}

/// The folder it is in: in the cache, or fetched with Maven (104 MiB, once).
fn fetch() -> Result<PathBuf> {
    let folder = environment::cache_dir()?.join(format!("apicurio-{VERSION}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let mvn = environment::find_program("mvn").context(
        "mvn was not found in PATH, and Apicurio is fetched with it: on Debian: apt-get install maven",
    )?;
    let parent = folder.parent().context("the cache folder has a parent")?;
    fs::create_dir_all(parent)?;
    let work = tempfile::Builder::new().prefix(".apicurio-").tempdir_in(parent)?;
    eprintln!("fetching Apicurio {VERSION} with Maven (104 MiB)");
    run(Command::new(mvn)
        .args(["-B", "-q", "dependency:copy"])
        .arg(format!(
            "-Dartifact=io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
        ))
        .arg(format!("-DoutputDirectory={}", work.path().display()))
        .current_dir(work.path()))?;
    let archive = work
        .path()
        .join(format!("apicurio-registry-app-{VERSION}-all.tar.gz"));
    let home = work.path().join("home");
    fs::create_dir(&home)?;
    run(Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(&home))?;
    // Whole or not at all; another process may have been faster.
    if let Err(error) = fs::rename(&home, &folder)
        && !folder.is_dir()
    {
        return Err(error).with_context(|| format!("cannot put Apicurio into {}", folder.display()));
    }
    Ok(folder)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(
        output.status.success(),
        "{} failed ({}):\n{}{}",
        Path::new(command.get_program()).display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

//! Apache Kafka as Maven Central has it: the jars, a Java to run them, and its console tools.

use std::{
    fs,
    io::{BufRead, BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::environment;

pub const VERSION: &str = "4.3.1";

/// The release under test, and old ones that a mirror must speak to as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// [`VERSION`]
    #[default]
    Current,
    /// 3.9.2: the last before 4.0
    Bridge,
    /// 2.8.2: the oldest that gives topics ids, with ZooKeeper
    Oldest,
}

/// Where a release keeps a cluster's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    KRaft,
    ZooKeeper,
}

/// A release of Kafka on this machine.
#[derive(Clone, Debug)]
pub struct Kafka {
    release: Release,
    libs: PathBuf,
    java: PathBuf,
}

const POM: &str = include_str!("../kafka/pom.xml");
const OLD_POM: &str = include_str!("../kafka/old.xml");
/// Written last: a folder without it was left by an interrupted fetch.
const COMPLETE: &str = ".complete";
const OLDEST_JAVA: u32 = 17;

/// Of the releases before 4.0, which log by log4j 1.
const OLD_LOGGING: &str = "\
log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{HH:mm:ss,SSS} %-5p %c{1} %m%n
";

const LOGGING: &str = "\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1} %m%n
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
";

// === impl Release ===

impl Release {
    pub fn version(self) -> &'static str {
        match self {
            Self::Current => VERSION,
            Self::Bridge => "3.9.2",
            Self::Oldest => "2.8.2",
        }
    }

    fn pom(self) -> &'static str {
        match self {
            Self::Current => POM,
            Self::Bridge | Self::Oldest => OLD_POM,
        }
    }
}

// === impl Kafka ===

impl Kafka {
    /// Finds Kafka in the cache or fetches it with Maven (about 55 MiB, once). `TOWPATH_KAFKA_LIBS` names a folder of jars to take instead.
    pub fn fetch() -> Result<Self> {
        let release = Release::Current;
        match environment::variable("TOWPATH_KAFKA_LIBS") {
            Some(libs) => {
                let libs = PathBuf::from(libs);
                ensure!(
                    libs.is_dir(),
                    "TOWPATH_KAFKA_LIBS={}: no such folder; unset it to fetch Kafka",
                    libs.display()
                );
                let java = find_java()?;
                Ok(Self { release, libs, java })
            }
            None => Self::find_or_fetch(release),
        }
    }

    /// As [`Kafka::fetch`] for any release.
    pub fn fetch_release(release: Release) -> Result<Self> {
        match release {
            Release::Current => Self::fetch(),
            Release::Bridge | Release::Oldest => Self::find_or_fetch(release),
        }
    }

    fn find_or_fetch(release: Release) -> Result<Self> {
        let java = find_java()?;
        let libs = environment::cache_dir()?.join(format!("kafka-{}", release.version()));
        if !libs.join(COMPLETE).is_file() {
            fetch_to(&libs, release)?;
        }
        Ok(Self { release, libs, java })
    }

    pub(crate) fn metadata(&self) -> Metadata {
        match self.release {
            Release::Current | Release::Bridge => Metadata::KRaft,
            Release::Oldest => Metadata::ZooKeeper,
        }
    }

    /// The folder of jars.
    pub fn libs(&self) -> &Path {
        &self.libs
    }

    /// A command that runs a class of Kafka, with the given flags of the JVM.
    pub fn java(&self, class: &str, flags: &[&str]) -> Command {
        let mut command = Command::new(&self.java);
        command.args(flags).arg("-cp").arg(self.libs.join("*")).arg(class);
        command
    }

    /// As [`Kafka::java`] with a folder of classes beside Kafka's.
    pub fn java_beside(&self, class: &str, flags: &[&str], classes: &Path) -> Command {
        let mut path = self.libs.join("*").into_os_string();
        path.push(":");
        path.push(classes);
        let mut command = Command::new(&self.java);
        command.args(flags).arg("-cp").arg(path).arg(class);
        command
    }

    /// Compiles a source file against Kafka's classes into a folder.
    pub fn compile(&self, source: &Path, classes: &Path) -> Result<()> {
        // The compiler itself does not know `*` in a path.
        let jars: Vec<PathBuf> = fs::read_dir(&self.libs)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        let output = Command::new(&self.java)
            .args(["-m", "jdk.compiler/com.sun.tools.javac.Main", "-cp"])
            .arg(std::env::join_paths(jars)?)
            .arg("-d")
            .arg(classes)
            .arg(source)
            .output()?;
        ensure!(
            output.status.success(),
            "cannot compile {}; is it a JDK and not a JRE?\n{}{}",
            source.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// As `java -version` says it: `17.0.15`.
    pub fn java_version(&self) -> Result<String> {
        let output = Command::new(&self.java).arg("-version").output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        Ok(text.split('"').nth(1).unwrap_or("unknown").to_owned())
    }

    /// Runs a console tool to its end and returns what it printed.
    pub fn tool(&self, class: &str, args: &[&str]) -> Result<String> {
        // A tool lives for a second: the second compiler would only cost time.
        let output = self
            .java(class, &["-Xmx256m", "-XX:TieredStopAtLevel=1"])
            .args(args)
            .stdin(Stdio::null())
            .output()?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ensure!(
            output.status.success(),
            "{class} {} failed ({}):\n{text}",
            args.join(" "),
            output.status
        );
        Ok(text)
    }

    /// The JDK's keytool.
    pub fn keytool(&self) -> Command {
        let beside = fs::canonicalize(&self.java)
            .ok()
            .and_then(|java| Some(java.parent()?.join("keytool")));
        Command::new(
            beside
                .filter(|file| file.is_file())
                .unwrap_or_else(|| PathBuf::from("keytool")),
        )
    }

    /// Writes the logging configuration of a server to a folder and returns the JVM flag that names it.
    pub fn logging_flag(&self, folder: &Path) -> Result<String> {
        let (name, text, flag) = match self.release {
            Release::Current => ("log4j2.properties", LOGGING, "log4j2.configurationFile="),
            Release::Bridge | Release::Oldest => {
                ("log4j.properties", OLD_LOGGING, "log4j.configuration=file:")
            }
        };
        let file = folder.join(name);
        fs::write(&file, text)?;
        Ok(format!("-D{flag}{}", file.display()))
    }
}

pub(crate) fn find_java() -> Result<PathBuf> {
    const INSTALL: &str =
        "install a JDK of version 17 or newer, on Debian: apt-get install default-jdk-headless";
    let java = match environment::variable("JAVA_HOME") {
        Some(home) => Some(Path::new(&home).join("bin/java")).filter(|file| file.is_file()),
        None => None,
    };
    let java = java
        .or_else(|| environment::find_program("java"))
        .with_context(|| format!("java was not found in JAVA_HOME or PATH: {INSTALL}"))?;
    let output = Command::new(&java)
        .arg("-version")
        .output()
        .with_context(|| format!("cannot run {}", java.display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let version = text
        .split('"')
        .nth(1)
        .and_then(|version| version.split(['.', '-', '+']).next()?.parse::<u32>().ok());
    match version {
        Some(version) if version >= OLDEST_JAVA => Ok(java),
        Some(version) => bail!(
            "{} is Java {version}, Kafka {VERSION} needs {OLDEST_JAVA}: {INSTALL}",
            java.display()
        ),
        None => bail!(
            "{} does not tell its version ({}): {INSTALL}",
            java.display(),
            text.trim()
        ),
    }
}

/// Fetches into a folder of our own and renames it: an interrupted or a concurrent fetch leaves nothing half done.
fn fetch_to(folder: &Path, release: Release) -> Result<()> {
    let mvn = environment::find_program("mvn").context(
        "mvn was not found in PATH, and Kafka is fetched with it: on Debian: apt-get install maven",
    )?;
    let parent = folder.parent().context("the cache folder has a parent")?;
    fs::create_dir_all(parent)?;
    let work = tempfile::Builder::new().prefix(".kafka-").tempdir_in(parent)?;
    fs::write(work.path().join("pom.xml"), release.pom())?;
    let libs = work.path().join("libs");
    run_maven(&mvn, work.path(), &libs, release)?;
    fs::write(libs.join(COMPLETE), release.version())?;
    if let Err(error) = fs::rename(&libs, folder) {
        // Another process was faster, or an older version of this program left the folder without the mark.
        if !folder.join(COMPLETE).is_file() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot put Kafka into {}: {error}", folder.display()))?;
            fs::rename(&libs, folder)?;
        }
    }
    Ok(())
}

fn run_maven(mvn: &Path, work: &Path, libs: &Path, release: Release) -> Result<()> {
    let version = release.version();
    let mut child = Command::new(mvn)
        .args(["-B", "dependency:copy-dependencies"])
        .arg(format!("-Dkafka.version={version}"))
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Errors are in its output; its error stream has nothing but terminal codes.
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", mvn.display()))?;
    let stdout = child.stdout.take().context("maven was started with a pipe")?;
    let terminal = std::io::stderr().is_terminal();
    let (mut files, mut log) = (0, Vec::new());
    eprintln!("fetching Apache Kafka {version} with Maven");
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if line.contains("Downloaded from") {
            files += 1;
            if terminal {
                eprint!("\r  {files} files downloaded");
                std::io::stderr().flush()?;
            }
        }
        log.push(line);
    }
    let status = child.wait()?;
    let tail = log[log.len().saturating_sub(15)..].join("\n");
    ensure!(
        status.success(),
        "maven could not fetch Kafka {version} ({status}); is the network reachable? Its last lines:\n{tail}"
    );
    let jars = fs::read_dir(libs)?.count();
    eprintln!(
        "{}  {jars} jars in place",
        if terminal && files > 0 { "\n" } else { "" }
    );
    Ok(())
}

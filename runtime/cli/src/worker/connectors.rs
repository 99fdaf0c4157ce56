//! The worker's connectors: one a file, replaced when the file changes to something valid.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_domain::config::Problem;
use towpath_mirror::{
    config::{Class, Defaults},
    connector::Worker,
    status::ConnectorStatus,
};

use super::{
    Connector, Handle,
    file::{self, ConnectorFile, Written},
};
use crate::failure::Failure;

pub(super) struct Connectors {
    worker: Worker,
    defaults: Defaults,
    token: CancellationToken,
    running: Vec<Running>,
}

struct Running {
    path: PathBuf,
    /// the file as it is applied
    content: Vec<u8>,
    written: Written,
    name: String,
    handle: Handle,
    token: CancellationToken,
    work: JoinSet<()>,
    change: Change,
    /// the version that was refused last, and when
    refused: Option<(Vec<u8>, Instant)>,
    /// what is wrong with it; the connector runs as it was before
    rejected: Vec<String>,
}

/// What is becoming of a changed file. Nothing here is waited for: the worker goes on showing its status.
enum Change {
    None,
    Checking {
        content: Vec<u8>,
        work: JoinSet<Checked>,
    },
    /// checked; the connector as it was is storing its last positions
    Replacing {
        content: Vec<u8>,
        name: String,
        written: Written,
        connector: Connector,
    },
}

type Checked = Result<(Written, String, Connector), Vec<Problem>>;

/// A version that was refused is looked at again after this long: a broker that could not be reached may be back.
const CHECK_AGAIN: Duration = Duration::from_secs(10);

/// A connector's status, and what is wrong with the latest version of its file.
#[derive(serde::Serialize)]
pub(super) struct Status {
    #[serde(flatten)]
    pub connector: ConnectorStatus,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
}

// === impl Connectors ===

impl Connectors {
    pub(super) fn new(worker: Worker, defaults: Defaults, token: CancellationToken) -> Self {
        Self {
            worker,
            defaults,
            token,
            running: Vec::new(),
        }
    }

    /// Starts every connector, or none: all mistakes of all files at once.
    pub(super) async fn open(&mut self, paths: &[PathBuf]) -> Result<(), Failure> {
        let mut sentences = Vec::new();
        let mut files: Vec<(PathBuf, Vec<u8>, ConnectorFile)> = Vec::new();
        for path in paths {
            let content = match file::read(path) {
                Ok(content) => content,
                Err(error) => {
                    sentences.push(file::unreadable(path, &error));
                    continue;
                }
            };
            match file::parse(&content, &self.defaults) {
                Ok(parsed) if files.iter().any(|(_, _, other)| other.name == parsed.name) => sentences.push(format!(
                    "{}: name = {:?}: another --connector file has this name; positions are found by it, so give each its own",
                    path.display(),
                    parsed.name
                )),
                Ok(parsed) => files.push((path.clone(), content, parsed)),
                Err(problems) => sentences.extend(problems.iter().map(|problem| format!("{}: {problem}", path.display()))),
            }
        }
        let mut prepared = Vec::new();
        for (path, content, parsed) in files {
            match Connector::prepare(parsed.name.clone(), parsed.config, self.worker.clone()).await {
                Ok(connector) => {
                    let file = (path, content, parsed.written);
                    prepared.push((file, parsed.name, connector));
                }
                Err(problems) => sentences.extend(
                    problems
                        .iter()
                        .map(|problem| format!("{}: {problem}", path.display())),
                ),
            }
        }
        if !sentences.is_empty() {
            return Err(Failure::Input(sentences));
        }
        for (file, name, connector) in prepared {
            self.running
                .push(Running::start(file, name, connector, &self.token));
        }
        Ok(())
    }

    /// Applies files that have changed. A version that is wrong changes nothing: the connector goes on as it was. To be called again and again.
    pub(super) fn reread(&mut self) {
        for index in 0..self.running.len() {
            match std::mem::replace(&mut self.running[index].change, Change::None) {
                Change::None => self.look(index),
                Change::Checking { content, work } => self.running[index].check(content, work),
                Change::Replacing {
                    content,
                    name,
                    written,
                    connector,
                } => {
                    let running = &mut self.running[index];
                    while running.work.try_join_next().is_some() {}
                    if running.work.is_empty() {
                        tracing::info!(connector = name, file = %running.path.display(), "the changed file is applied");
                        let file = (running.path.clone(), content, written);
                        *running = Running::start(file, name, connector, &self.token);
                    } else {
                        running.change = Change::Replacing {
                            content,
                            name,
                            written,
                            connector,
                        };
                    }
                }
            }
        }
    }

    /// Starts to check a file whose content is another than what is applied.
    fn look(&mut self, index: usize) {
        let running = &mut self.running[index];
        let Ok(content) = file::read(&running.path) else {
            return;
        };
        if content == running.content {
            running.refused = None;
            running.rejected.clear();
            return;
        }
        if matches!(&running.refused, Some((refused, at)) if *refused == content && at.elapsed() < CHECK_AGAIN)
        {
            return;
        }
        let parsed = file::parse(&content, &self.defaults);
        if let Ok(parsed) = &parsed
            && parsed.written == running.written
        {
            if let Class::MirrorSource(config) = &parsed.config {
                tracing::info!(connector = running.name, file = %running.path.display(), limits = ?config.limits, "the changed limits are applied");
                running.handle.limit(config.limits);
            }
            running.content = content;
            running.refused = None;
            running.rejected.clear();
            return;
        }
        let others = self
            .running
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let taken: Vec<String> = others.map(|(_, running)| running.name.clone()).collect();
        let mut worker = self.worker.clone();
        worker.claims = worker.claims.replacing(&self.running[index].name);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let parsed = parsed?;
            if taken.contains(&parsed.name) {
                let remedy = "give each connector its own name: positions are found by it";
                return Err(vec![Problem::new(
                    "name",
                    Some(&parsed.name),
                    "another connector has this name",
                    remedy,
                )]);
            }
            let connector = Connector::prepare(parsed.name.clone(), parsed.config, worker).await?;
            Ok((parsed.written, parsed.name, connector))
        });
        self.running[index].change = Change::Checking { content, work };
    }

    pub(super) fn statuses(&self) -> Vec<Status> {
        self.running
            .iter()
            .map(|running| Status {
                connector: running.handle.status(),
                rejected: running.rejected.clone(),
            })
            .collect()
    }

    /// Waits until every connector has ended; they are told by the token.
    pub(super) async fn ended(&mut self) {
        for running in &mut self.running {
            while running.work.join_next().await.is_some() {}
        }
    }
}

// === impl Running ===

impl Running {
    fn start(
        (path, content, written): (PathBuf, Vec<u8>, Written),
        name: String,
        connector: Connector,
        parent: &CancellationToken,
    ) -> Self {
        let token = parent.child_token();
        let handle = connector.handle();
        let mut work = JoinSet::new();
        work.spawn(connector.run(token.clone()));
        Self {
            path,
            content,
            written,
            name,
            handle,
            token,
            work,
            change: Change::None,
            refused: None,
            rejected: Vec::new(),
        }
    }

    /// Takes the result of a check when it is there.
    fn check(&mut self, content: Vec<u8>, mut work: JoinSet<Checked>) {
        match work.try_join_next() {
            None => self.change = Change::Checking { content, work },
            Some(Ok(Ok((written, name, connector)))) => {
                self.token.cancel();
                self.change = Change::Replacing {
                    content,
                    name,
                    written,
                    connector,
                };
            }
            Some(Ok(Err(problems))) => {
                self.refuse(content, problems.iter().map(ToString::to_string).collect())
            }
            Some(Err(error)) => self.refuse(content, vec![format!("checking the file failed: {error}")]),
        }
    }

    fn refuse(&mut self, content: Vec<u8>, rejected: Vec<String>) {
        if rejected != self.rejected {
            for problem in &rejected {
                tracing::error!(connector = self.name, file = %self.path.display(), "the changed file is not applied: {problem}");
            }
        }
        self.refused = Some((content, Instant::now()));
        self.rejected = rejected;
    }
}

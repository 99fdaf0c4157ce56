//! The worker's connectors: one a file, replaced when the file changes to something valid.

use std::path::PathBuf;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_domain::config::Problem;
use towpath_mirror::{
    connector::{Connector, Handle, Worker},
    status::ConnectorStatus,
};

use super::file::{self, ConnectorFile};
use crate::failure::Failure;

pub(super) struct Connectors {
    worker: Worker,
    bootstrap: Vec<String>,
    token: CancellationToken,
    running: Vec<Running>,
}

struct Running {
    path: PathBuf,
    content: Vec<u8>,
    name: String,
    handle: Handle,
    token: CancellationToken,
    work: JoinSet<()>,
    /// what is wrong with the file as it is now; the connector runs as it was before
    rejected: Vec<String>,
}

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
    pub(super) fn new(worker: Worker, bootstrap: Vec<String>, token: CancellationToken) -> Self {
        Self {
            worker,
            bootstrap,
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
            match file::parse(&content, &self.bootstrap) {
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
                Ok(connector) => prepared.push((path, content, parsed.name, connector)),
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
        for (path, content, name, connector) in prepared {
            self.running
                .push(Running::start(path, content, name, connector, &self.token));
        }
        Ok(())
    }

    /// Applies files that have changed. A version that is wrong changes nothing: the connector goes on as it was.
    pub(super) async fn reread(&mut self) {
        for index in 0..self.running.len() {
            let Ok(content) = file::read(&self.running[index].path) else {
                continue;
            };
            if content == self.running[index].content {
                continue;
            }
            let result = self.prepare(index, &content).await;
            let running = &mut self.running[index];
            running.content = content;
            match result {
                Ok((name, connector)) => {
                    tracing::info!(connector = name, file = %running.path.display(), "applying the changed file");
                    running.stop().await;
                    *running = Running::start(
                        running.path.clone(),
                        std::mem::take(&mut running.content),
                        name,
                        connector,
                        &self.token,
                    );
                }
                Err(problems) => {
                    running.rejected = problems.iter().map(ToString::to_string).collect();
                    for problem in &running.rejected {
                        tracing::error!(connector = running.name, file = %running.path.display(), "the changed file is not applied: {problem}");
                    }
                }
            }
        }
    }

    async fn prepare(&self, index: usize, content: &[u8]) -> Result<(String, Connector), Vec<Problem>> {
        let parsed = file::parse(content, &self.bootstrap)?;
        let is_taken = self
            .running
            .iter()
            .enumerate()
            .any(|(other, running)| other != index && running.name == parsed.name);
        if is_taken {
            let remedy = "give each connector its own name: positions are found by it";
            return Err(vec![Problem::new(
                "name",
                Some(&parsed.name),
                "another connector has this name",
                remedy,
            )]);
        }
        let connector = Connector::prepare(parsed.name.clone(), parsed.config, self.worker.clone()).await?;
        Ok((parsed.name, connector))
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
        path: PathBuf,
        content: Vec<u8>,
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
            name,
            handle,
            token,
            work,
            rejected: Vec::new(),
        }
    }

    async fn stop(&mut self) {
        self.token.cancel();
        while self.work.join_next().await.is_some() {}
    }
}

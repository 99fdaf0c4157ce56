//! A worker that is managed by its REST API, and the API as a client sees it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::{
    broker::ports,
    towpath::{Connector, Worker},
    wait,
};

/// The REST API of one worker, wherever it is started again.
pub struct Rest {
    address: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// null when there was none
    pub body: Value,
}

/// A broker may take its time.
const PATIENCE: Duration = Duration::from_secs(100);
const READY: Duration = Duration::from_secs(60);

// === impl Worker ===

impl Worker {
    /// With a REST API on a free port, and its connectors in this topic of the cluster. Not started.
    pub fn managed(bootstrap: &str, configs: &str) -> Result<(Self, Rest)> {
        let rest = Rest::new(ports::free(1)?[0])?;
        let worker = Self::new(&[
            ("bootstrap.servers", bootstrap),
            ("listeners", &format!("http://{}", rest.address)),
            ("config.storage.topic", configs),
            ("offset.storage.topic", "positions"),
        ])?;
        Ok((worker, rest))
    }

    /// Starts it, and waits until it answers. Fails at once when it ends.
    pub fn start_managed(&mut self, rest: &Rest) -> Result<()> {
        self.start()?;
        let tail = |worker: &mut Self| worker.log_text();
        let ready = wait::until("the REST API", READY, || {
            if let Some(status) = self.process()?.ended()? {
                return Err(wait::Hopeless(format!("the worker ended with {status}")).into());
            }
            Ok(rest.get("/health").ok().filter(|health| health.status == 200))
        });
        ready.map(drop).with_context(|| tail(self))
    }
}

// === impl Rest ===

impl Rest {
    fn new(port: u16) -> Result<Self> {
        Ok(Self {
            address: format!("127.0.0.1:{port}"),
            client: reqwest::Client::builder().timeout(PATIENCE).build()?,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
        })
    }

    /// `host:port`
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None)
    }

    pub fn put(&self, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.send(Method::PUT, path, body)
    }

    pub fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::PATCH, path, Some(body))
    }

    pub fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, None)
    }

    pub fn post(&self, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.send(Method::POST, path, body)
    }

    /// Creates it.
    pub fn create(&self, connector: &Connector) -> Result<()> {
        self.post("/connectors", Some(&connector.body()))?.is(201)?;
        Ok(())
    }

    /// Waits until a connector's state, and the states of all its tasks, are this. Answers its status.
    pub fn wait_for_state(&self, name: &str, state: &str, deadline: Duration) -> Result<Value> {
        let what = format!("{name} to be {state}");
        let mut last = None;
        let waited = wait::until(&what, deadline, || {
            let status = self.get(&format!("/connectors/{name}/status"))?;
            let tasks = status.body["tasks"].as_array();
            let tasks = tasks.into_iter().flatten().map(|task| &task["state"]);
            let is_so =
                status.body["connector"]["state"] == state && tasks.into_iter().all(|task| task == state);
            last = Some(status.clone());
            Ok(is_so.then_some(status.body))
        });
        waited.with_context(|| format!("{last:?}"))
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let text = answer.text().await?;
            let body = match text.as_str() {
                "" => Value::Null,
                text => serde_json::from_str(text).with_context(|| text.to_owned())?,
            };
            Ok(Answer { status, body })
        })
    }
}

// === impl Answer ===

impl Answer {
    pub fn is(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "{} instead of {status}: {}",
            self.status,
            self.body
        );
        Ok(self)
    }

    /// An error's sentence.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

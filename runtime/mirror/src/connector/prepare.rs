//! Everything that can be wrong with a connector before its first record.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use towpath_domain::{TopicName, config::Problem};
use towpath_registry::Registry;
use towpath_wire::{
    Allowed, Client, Error, Operation, Options, SaslError, Security, Unresolved, Use,
    positions::{self, Accepted},
};

use super::{
    Connector, Shared, Worker, attach, circle,
    permissions::{self, Routed},
    resolve::Grants,
};
use crate::{
    claims::Taken,
    config::{MirrorSource, START},
    discovery,
    registries::{Names, Registries},
    route::{self, Routes},
    task::Queue,
};

/// What a connector is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Run,
    /// its partitions are decided about: it mirrors nothing
    Decide,
}

pub(super) async fn prepare(
    name: String,
    config: MirrorSource,
    worker: Worker,
    purpose: Purpose,
) -> Result<Connector, Vec<Problem>> {
    let (source, target) = tokio::join!(
        connect(
            "source.cluster.bootstrap.servers",
            &config.source,
            &config.source_security,
            config.source_metadata_max_age,
            &worker
        ),
        connect(
            "target.cluster.bootstrap.servers",
            &config.target,
            &config.target_security,
            config.target_metadata_max_age,
            &worker
        )
    );
    let stored = match &target {
        Ok(target) => accepted(&name, &config, target, &worker).await,
        Err(_) => Ok(Accepted::default()),
    };
    let (stored, unread) = match stored {
        Ok(stored) => (stored, None),
        Err(error) => (Accepted::default(), Some(error)),
    };
    // Routers are known when all plugins are; nobody asks before.
    let routes = Arc::new(Mutex::new(Routes::default()));
    let registries = registries(&name, &config, &routes);
    let grants = Grants {
        registries_to: worker.registries_granted_to.clone(),
        registries: registries.clone().ok_or_else(|| config.registries.clone()),
    };
    let attach::Parts {
        routers,
        pipeline,
        accepted,
        uses,
        mut problems,
    } = attach::attach(&name, &config, Arc::clone(&worker.host), stored, grants).await;
    let (source, target) = match (source, target) {
        (Ok(source), Ok(target)) => (source, target),
        (source, target) => {
            problems.extend([source.err(), target.err()].into_iter().flatten().flatten());
            return Err(problems);
        }
    };
    let stores = config.registries.clone();
    // On a thread that may block, as those of the brokers.
    match tokio::task::spawn_blocking(move || stores.check()).await {
        Ok(mistakes) => problems.extend(mistakes),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
    problems.extend(onto_itself(&source, &target, &config.target));
    for (client, used_as, cluster) in [(&source, Use::Source, "source"), (&target, Use::Target, "target")] {
        for missing in client.missing(used_as) {
            tracing::warn!(connector = name, cluster, "{missing}");
        }
    }
    *routes.lock().unwrap_or_else(PoisonError::into_inner) = Routes::new(routers);
    let routed = check_topics(&config, &source, &routes, &mut problems).await;
    let claimed = Arc::new(
        worker
            .claims
            .open(&name, (source.cluster_id(), target.cluster_id())),
    );
    for topic in &routed {
        if let Err(taken) = claimed.take(&topic.source, &topic.target) {
            let (message, remedy) = match taken {
                Taken::By(connector) => (
                    format!(
                        "connector {connector} already mirrors to topic {} of the target, where topic {} would go",
                        topic.target, topic.source
                    ),
                    "route them apart, or leave one out by `topics.exclude`: two writers of one topic would mix their records",
                ),
                Taken::Loop(connector) => (circle::message(topic, &connector), circle::REMEDY),
            };
            problems.push(Problem::new(
                "topics",
                Some(topic.source.as_str()),
                message,
                remedy,
            ));
        }
    }
    let table = TopicName::new(worker.positions_topic.as_str());
    if purpose == Purpose::Run {
        problems.extend(circle::look(&name, (&source, &target), &routed, &table).await);
    }
    if let Err(error) = permissions::check(
        (&source, &target),
        (&routed, config.offsets),
        &table,
        &mut problems,
    )
    .await
    {
        // The mirror will say it again, and wait for what is missing.
        tracing::warn!(connector = name, %error, "what the clusters allow could not be looked up");
    }
    // What is missing may have been said already, with its remedy.
    if let Some(error) = unread.filter(|_| problems.is_empty()) {
        let message = format!("which plugins connector {name} was accepted with cannot be read: {error}");
        problems.push(Problem::new(
            "offset.storage.topic",
            Some(&worker.positions_topic),
            message,
            "start again when it can be: another build of a plugin must not run unnoticed",
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let shared = Arc::new(Shared::new(config.limits, uses, registries.clone()));
    let dead_letters = config.errors.dead_letters.clone().map(|queue| {
        let cluster = source.cluster_id();
        Arc::new(Queue::new(target.clone(), queue, name.clone(), cluster))
    });
    Ok(Connector {
        name,
        config,
        worker,
        source,
        target,
        routes,
        pipeline: Arc::new(pipeline),
        accepted,
        dead_letters,
        registries,
        claimed,
        withheld: Arc::default(),
        shared,
    })
}

/// The registries of both clusters, where both are configured.
fn registries(name: &str, config: &MirrorSource, routes: &Arc<Mutex<Routes>>) -> Option<Arc<Registries>> {
    let (source, target) = (
        config.registries.source.clone()?,
        config.registries.target.clone()?,
    );
    Some(Arc::new(Registries::new(
        name.to_owned(),
        Registry::new(source),
        Registry::new(target),
        Names {
            topics: config.topics.clone(),
            routes: Arc::clone(routes),
        },
    )))
}

/// Which plugins this connector was accepted with; without plugins nobody asks.
async fn accepted(
    name: &str,
    config: &MirrorSource,
    target: &Client,
    worker: &Worker,
) -> Result<Accepted, Error> {
    if config.plugins.is_empty() {
        return Ok(Accepted::default());
    }
    positions::accepted(target, &worker.positions_topic, name).await
}

/// Connects to a cluster; what is wrong with its configuration is said of these keys.
pub(crate) async fn connect(
    key: &str,
    servers: &[String],
    security: &Security,
    metadata_max_age: Duration,
    worker: &Worker,
) -> Result<Client, Vec<Problem>> {
    let stores = security.clone();
    // On a thread that may block: stores are read and decrypted.
    let problems = match tokio::task::spawn_blocking(move || stores.check()).await {
        Ok(problems) => problems,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let options = Options {
        metadata_max_age,
        bootstrap_servers: servers.to_vec(),
        client_id: worker.client_id.clone(),
        request_timeout: worker.request_timeout,
        security: security.clone(),
        ..Options::default()
    };
    Client::connect(options).await.map_err(|error| {
        if let Error::Sasl { peer, cause } = &error {
            if let SaslError::Unresolved(Unresolved(problem)) = &**cause {
                return vec![problem.clone()];
            }
            let prefix = key.strip_suffix("bootstrap.servers").unwrap_or_default();
            let key = format!("{prefix}{}", cause.key());
            return vec![Problem::new(
                key,
                None,
                format!("{peer}: {cause}"),
                cause.remedy(),
            )];
        }
        let remedy = if error.is_about_security() {
            "then start again: nothing was changed"
        } else {
            "check the address, and that the brokers run and can be reached from this machine"
        };
        vec![Problem::new(
            key,
            Some(&servers.join(",")),
            error.to_string(),
            remedy,
        )]
    })
}

/// Both clusters of a connector are one.
pub(crate) fn onto_itself(source: &Client, target: &Client, servers: &[String]) -> Option<Problem> {
    (source.cluster_id() == target.cluster_id()).then(|| {
        Problem::new(
            "target.cluster.bootstrap.servers",
            Some(&servers.join(",")),
            format!(
                "is the cluster of source.cluster.bootstrap.servers (cluster id {})",
                source.cluster_id()
            ),
            "name another cluster: a mirror onto itself would never end",
        )
    })
}

/// Patterns that match nothing, topics that are not routed, topics that meet on the target.
async fn check_topics(
    config: &MirrorSource,
    source: &Client,
    routes: &Arc<Mutex<Routes>>,
    problems: &mut Vec<Problem>,
) -> Vec<Routed> {
    let selected = match discovery::select(source, &config.topics).await {
        Ok(selected) => selected,
        Err(error) => {
            problems.push(unlisted(config, &error));
            return Vec::new();
        }
    };
    let hidden = hidden(source, &selected.unmatched).await;
    for pattern in &selected.unmatched {
        if hidden.contains(pattern) {
            let error = source.not_allowed(Operation::Read, &TopicName::new(pattern.as_str()));
            let remedy = "or correct the name, if there is no such topic; to mirror it, Read and DescribeConfigs are needed";
            problems.push(Problem::new("topics", Some(pattern), error.to_string(), remedy));
        } else if is_name(pattern) || selected.topics.is_empty() {
            let remedy = "correct it, or create the topic first, or grant Read on it; names are case sensitive, patterns match whole names";
            problems.push(Problem::new(
                "topics",
                Some(pattern),
                "no such topic on the source cluster",
                remedy,
            ));
        } else {
            tracing::warn!(pattern, "no topic of the source matches this pattern yet");
        }
    }
    let names = selected.topics.iter().map(|topic| topic.name.as_str());
    for pattern in config.starts.unmatched(names) {
        if is_name(pattern) {
            let message = "no topic of this name is mirrored";
            let remedy =
                "correct it, or take the topic into `topics`; patterns match whole names of the source";
            problems.push(Problem::new(START, Some(pattern), message, remedy));
        } else {
            tracing::warn!(
                pattern,
                "no topic that is mirrored matches this pattern of {START} yet"
            );
        }
    }
    if let Some(topic) = selected.topics.iter().find(|topic| topic.id.is_zero()) {
        problems.push(Problem::new(
            "source.cluster.bootstrap.servers",
            Some(&config.source.join(",")),
            format!("the brokers give topic {} no id (they are older than Kafka 2.8), and positions are kept by topic id", topic.name),
            "upgrade the source to Kafka 2.8 or later",
        ));
    }
    let mut partitions = std::collections::HashMap::new();
    for topic in &selected.topics {
        partitions.insert(topic.name.clone(), topic.partitions.len() as i32);
    }
    let names = selected.topics.into_iter().map(|topic| topic.name).collect();
    let mut clear = Vec::new();
    let mut targets = std::collections::HashMap::new();
    for (topic, routed) in route::route_all(Arc::clone(routes), names).await {
        match routed {
            Ok(target)
                if config
                    .errors
                    .dead_letters
                    .as_ref()
                    .is_some_and(|queue| queue.topic == target) =>
            {
                let message = format!("topic {topic} would be mirrored to it");
                let remedy = "name another dead letter queue, or leave the topic out by `topics.exclude`";
                let key = "errors.deadletterqueue.topic.name";
                problems.push(Problem::new(key, Some(target.as_str()), message, remedy));
            }
            Ok(target) => {
                if let Some(with) = targets.insert(target.clone(), topic.clone()) {
                    let message = format!("topics {with} and {topic} would both be mirrored to {target}");
                    let remedy = "route them apart, or leave one out by `topics.exclude`";
                    problems.push(Problem::new("transforms", None, message, remedy));
                } else {
                    clear.push(Routed {
                        partitions: partitions.get(&topic).copied().unwrap_or_default(),
                        source: topic,
                        target,
                    });
                }
            }
            Err(error) => problems.push(error.problem()),
        }
    }
    clear
}

/// Names among the patterns that may be topics which this client is not allowed to see.
async fn hidden(source: &Client, patterns: &[String]) -> Vec<String> {
    let names: Vec<TopicName> = patterns
        .iter()
        .filter(|pattern| TopicName::is_legal(pattern))
        .map(|pattern| TopicName::new(pattern.as_str()))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let allowed = source.allowed(&names).await.unwrap_or_default();
    allowed
        .into_iter()
        .filter(|(_, allowed)| *allowed == Allowed::Nothing)
        .map(|(name, _)| name.to_string())
        .collect()
}

fn unlisted(config: &MirrorSource, error: &Error) -> Problem {
    let remedy = "check the brokers and the permission to describe topics";
    Problem::new(
        "source.cluster.bootstrap.servers",
        Some(&config.source.join(",")),
        format!("topics cannot be listed: {error}"),
        remedy,
    )
}

/// A pattern that can only be meant as one name.
fn is_name(pattern: &str) -> bool {
    pattern
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '\\'))
}

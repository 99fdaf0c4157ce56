//! What the target's ACLs must be, by the source's.

use towpath_domain::{
    TopicName,
    checks::{AclBinding, Finding},
};
use towpath_plugin_host as host;
use towpath_wire::Client;

use super::Subjects;

/// What an ACL checker is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Acls {
    due: Vec<AclBinding>,
    pending: Vec<AclBinding>,
    target: Vec<AclBinding>,
}

/// What readers need now. The rest is granted when writing moves.
const READING: [&str; 3] = ["READ", "DESCRIBE", "DESCRIBE_CONFIGS"];
/// What ALL on a topic stands for.
const ALL_OF_A_TOPIC: [&str; 8] = [
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
];

pub(super) async fn read(subjects: &Subjects, topics: &[(TopicName, TopicName)]) -> Result<Acls, String> {
    let source = all(&subjects.source, "source").await?;
    let target = all(&subjects.target, "target").await?;
    let others = |principal: Option<String>| {
        move |binding: &AclBinding| principal.as_ref().is_none_or(|own| binding.principal != *own)
    };
    // Our own bindings are on neither side what users may do.
    let source: Vec<AclBinding> = source
        .into_iter()
        .filter(others(subjects.source.principal()))
        .collect();
    let target: Vec<AclBinding> = target
        .into_iter()
        .filter(others(subjects.target.principal()))
        .collect();
    let (due, pending) = projected(&source, topics);
    Ok(Acls { due, pending, target })
}

async fn all(client: &Client, cluster: &str) -> Result<Vec<AclBinding>, String> {
    client
        .acls()
        .await
        .map_err(|error| format!("the ACLs of the {cluster} cluster cannot be read: {error}"))
}

/// The source's bindings as they must be on the target: those that are due now, and those that come when writing moves.
///
/// A binding on topics, however it names them, becomes one for each mirrored topic it is about, under the target's name, and ALL one for each operation:
/// other topics of the target are none of this connector's business. Groups keep their names. Transactional ids belong to writing.
/// Bindings on the cluster, users and tokens are about operating a cluster, and are left out.
fn projected(source: &[AclBinding], topics: &[(TopicName, TopicName)]) -> (Vec<AclBinding>, Vec<AclBinding>) {
    let (mut due, mut pending) = (Vec::new(), Vec::new());
    for binding in source {
        match binding.resource_type.as_str() {
            "TOPIC" => {
                for (_, target) in topics.iter().filter(|(topic, _)| names(binding, topic.as_str())) {
                    for operation in operations(binding) {
                        let projected = AclBinding {
                            resource_name: target.to_string(),
                            pattern_type: "LITERAL".to_owned(),
                            operation: operation.to_owned(),
                            ..binding.clone()
                        };
                        // What is denied must be denied from the first moment.
                        if binding.permission == "DENY" || READING.contains(&operation) {
                            due.push(projected);
                        } else {
                            pending.push(projected);
                        }
                    }
                }
            }
            "GROUP" => due.push(binding.clone()),
            "TRANSACTIONAL_ID" => pending.push(binding.clone()),
            _ => {}
        }
    }
    for bindings in [&mut due, &mut pending] {
        bindings.sort();
        bindings.dedup();
    }
    (due, pending)
}

fn names(binding: &AclBinding, topic: &str) -> bool {
    match binding.pattern_type.as_str() {
        "PREFIXED" => topic.starts_with(&binding.resource_name),
        _ => binding.resource_name == "*" || binding.resource_name == topic,
    }
}

/// A denial of ALL stays one: it also denies what is not on the list.
fn operations(binding: &AclBinding) -> Vec<&str> {
    match (binding.operation.as_str(), binding.permission.as_str()) {
        ("ALL", "ALLOW") => ALL_OF_A_TOPIC.to_vec(),
        (operation, _) => vec![operation],
    }
}

// === impl Acls ===

impl Acls {
    pub(super) fn check(&self, checker: &mut host::AclChecker) -> Result<Vec<Finding>, host::CallError> {
        checker.check(&self.due, &self.pending, &self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(text: &str) -> AclBinding {
        let words: Vec<&str> = text.split(' ').collect();
        let [
            principal,
            permission,
            operation,
            resource_type,
            pattern_type,
            name,
        ] = words[..]
        else {
            panic!("{text}")
        };
        let own = str::to_owned;
        AclBinding {
            resource_type: own(resource_type),
            resource_name: own(name),
            pattern_type: own(pattern_type),
            principal: own(principal),
            host: own("*"),
            operation: own(operation),
            permission: own(permission),
        }
    }

    fn told(bindings: &[AclBinding]) -> Vec<String> {
        let told = |binding: &AclBinding| {
            format!(
                "{} {} {} {} {}",
                binding.principal,
                binding.permission,
                binding.operation,
                binding.pattern_type,
                binding.resource_name
            )
        };
        bindings.iter().map(told).collect()
    }

    #[test]
    fn bindings_become_those_of_the_mirrored_topics_and_writing_waits() {
        let topics = [("pay.in", "new.in"), ("pay.out", "new.out")]
            .map(|(source, target)| (TopicName::new(source), TopicName::new(target)));
        let source = [
            "User:a ALLOW READ TOPIC LITERAL pay.in",
            "User:a ALLOW WRITE TOPIC LITERAL pay.in",
            "User:b ALLOW READ TOPIC PREFIXED pay.",
            "User:c ALLOW READ TOPIC LITERAL other",
            "User:d DENY ALL TOPIC LITERAL *",
            "User:e ALLOW READ GROUP PREFIXED readers",
            "User:f ALLOW WRITE TRANSACTIONAL_ID LITERAL tx",
            "User:g ALLOW CREATE CLUSTER LITERAL kafka-cluster",
        ]
        .map(binding);
        let (due, pending) = projected(&source, &topics);
        assert_eq!(
            told(&due),
            [
                "User:e ALLOW READ PREFIXED readers",
                "User:a ALLOW READ LITERAL new.in",
                "User:b ALLOW READ LITERAL new.in",
                "User:d DENY ALL LITERAL new.in",
                "User:b ALLOW READ LITERAL new.out",
                "User:d DENY ALL LITERAL new.out",
            ]
        );
        assert_eq!(
            told(&pending),
            [
                "User:a ALLOW WRITE LITERAL new.in",
                "User:f ALLOW WRITE LITERAL tx"
            ]
        );
        let (due, pending) = projected(&[binding("User:h ALLOW ALL TOPIC LITERAL pay.in")], &topics);
        assert_eq!((due.len(), pending.len()), (3, 5));
    }
}

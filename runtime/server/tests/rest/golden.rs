//! Every request whose answer was recorded from a worker of Kafka Connect 4.3.1, in its order. An answer that differs is listed with its reason, and
//! is itself recorded: `BLESS=1` writes what is listed anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use axum::{Router, body::Body};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    fake::Fake,
    send::{Answer, api, request, send},
};

/// Where the answer is not Connect's on purpose. The reasons are told in REST.md, by the same names.
const DIFFERENCES: &[(&str, Difference)] = &[
    ("001-root", Difference::Version),
    ("016-create-empty-body", Difference::BadBody),
    ("017-create-unknown-field", Difference::BadBody),
    ("019-create-no-name", Difference::Problems),
    ("020-create-no-class", Difference::Problems),
    ("022-create-bad-value", Difference::Problems),
    ("025-create-wrong-json-type", Difference::BadBody),
    ("026-create-non-string-values", Difference::Problems),
    ("029-create-initial-state-bad", Difference::BadBody),
    ("041-tasks", Difference::TaskConfigs),
    ("043-tasks-config", Difference::ContentType),
    ("052-put-config-empty", Difference::Problems),
    ("053-put-config-wrapped", Difference::BadBody),
    ("076-offsets-patch-bad-partition", Difference::BadBody),
    ("077-offsets-patch-bad-offset", Difference::BadBody),
    ("095-method-not-allowed-405", Difference::ContentType),
    ("097-method-not-allowed-post-config", Difference::ContentType),
    ("098-unknown-path-404", Difference::ContentType),
    ("101-accept-xml-406", Difference::ContentType),
    ("103-encoded-name-create", Difference::EncodedNames),
    ("104-encoded-name-get", Difference::EncodedNames),
    ("106-internal-tasks-put-unsigned", Difference::ContentType),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// Our own version is beside Connect's.
    Version,
    /// A body that is wrong is the client's mistake: 400, where Connect has a 500, and no class names of Java.
    BadBody,
    /// Mistakes in a configuration are told as key, value, what is wrong and the remedy, all at once, and no other values.
    Problems,
    /// A task's configuration is its connector's: partitions move between tasks.
    TaskConfigs,
    /// Connect does not say of these errors that they are JSON.
    ContentType,
    /// Connect's web server refuses a name with a `/`, though Connect itself creates it.
    EncodedNames,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Case {
    /// what had happened before and was not recorded
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    given: Vec<Sent>,
    #[serde(default, skip_serializing_if = "Compare::is_body")]
    compare: Compare,
    pub request: Sent,
    connect: Received,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    towpath: Option<Received>,
}

#[derive(Default, Serialize, Deserialize)]
enum Compare {
    #[default]
    #[serde(rename = "body")]
    Body,
    /// keys and types: the values are the plugins' own
    #[serde(rename = "shape")]
    Shape,
    /// of a map whose keys are names
    #[serde(rename = "shape of values")]
    ShapeOfValues,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sent {
    pub method: String,
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Received {
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

// === impl Case ===

impl Case {
    /// What we answer, as it is recorded.
    pub fn ours(&self) -> &Received {
        self.towpath.as_ref().unwrap_or(&self.connect)
    }
}

// === impl Compare ===

impl Compare {
    fn is_body(&self) -> bool {
        matches!(self, Self::Body)
    }

    fn same(&self, connect: &Received, ours: &Received) -> bool {
        if self.is_body() {
            return connect == ours;
        }
        let head = |received: &Received| Received {
            body: None,
            ..received.clone()
        };
        let shape = |received: &Received| match (self, &received.body) {
            (Self::ShapeOfValues, Some(Value::Object(map))) => {
                let values: Vec<Value> = map.values().cloned().collect();
                Shape::of(&values.into())
            }
            (_, body) => Shape::of(body.as_ref().unwrap_or(&Value::Null)),
        };
        let (theirs, ours_shape) = (shape(connect), shape(ours));
        head(connect) == head(ours)
            && theirs.keys == ours_shape.keys
            && ours_shape.leaves.is_subset(&theirs.leaves)
    }
}

/// The keys of a body, and the types of what stands at them.
#[derive(Default)]
struct Shape {
    keys: BTreeSet<String>,
    leaves: BTreeSet<String>,
}

// === impl Shape ===

impl Shape {
    fn of(value: &Value) -> Self {
        let mut shape = Self::default();
        shape.add("", value);
        shape
    }

    fn add(&mut self, place: &str, value: &Value) {
        let kind = match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let place = format!("{place}.{key}");
                    self.add(&place, value);
                    self.keys.insert(place);
                }
                "object"
            }
            Value::Array(values) => {
                for value in values {
                    self.add(&format!("{place}[]"), value);
                }
                "array"
            }
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
        };
        self.leaves.insert(format!("{place}: {kind}"));
    }
}

// === impl Sent ===

impl Sent {
    async fn send(&self, api: &Router) -> Received {
        let mut builder = request(&self.method, &self.path);
        if let Some(media) = &self.content_type {
            builder = builder.header("content-type", media);
        }
        if let Some(media) = &self.accept {
            builder = builder.header("accept", media);
        }
        let body = match &self.body {
            Some(body) => Body::from(body.to_string()),
            None => Body::empty(),
        };
        Received::from(send(api, builder.body(body).expect("a request")).await)
    }
}

// === impl Received ===

impl From<Answer> for Received {
    fn from(answer: Answer) -> Self {
        let header = |name| answer.header(name).map(str::to_owned);
        Self {
            status: answer.status.as_u16(),
            location: header("location"),
            content_type: header("content-type"),
            body: (!answer.body.is_empty()).then(|| answer.json()),
        }
    }
}

impl Received {
    /// Without what is another one's on every worker.
    fn masked(mut self) -> Self {
        fn mask(value: &mut Value) {
            match value {
                Value::Object(map) => {
                    for (key, value) in map {
                        match key.as_str() {
                            "worker_id" | "trace" | "commit" | "kafka_cluster_id" if value.is_string() => {
                                *value = format!("({key})").into();
                            }
                            _ => mask(value),
                        }
                    }
                }
                Value::Array(values) => values.iter_mut().for_each(mask),
                _ => {}
            }
        }
        if let Some(body) = &mut self.body {
            mask(body);
        }
        self
    }
}

pub fn cases() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(&folder).expect("the folder is there");
    let mut cases: Vec<(String, PathBuf)> = files
        .map(|file| file.expect("it can be read").path())
        .map(|path| {
            let name = path.file_stem().expect("it has a name").to_string_lossy();
            (name.into_owned(), path)
        })
        .collect();
    cases.sort();
    cases
}

pub fn is_blessed() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "how tests are told to write what they found"
    )]
    env::var("BLESS").is_ok_and(|value| value == "1")
}

#[tokio::test]
async fn every_recorded_request_is_answered_as_by_connect_or_differs_for_a_reason() {
    let api = api(Fake::new());
    let reasons: BTreeMap<&str, Difference> = DIFFERENCES.iter().copied().collect();
    let cases = cases();
    let mut wrong = Vec::new();
    for name in reasons.keys() {
        if cases.iter().all(|(case, _)| case != name) {
            wrong.push(format!("{name}: is listed and there is no such case"));
        }
    }
    for (name, path) in &cases {
        let text = fs::read_to_string(path).expect("it can be read");
        let mut case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for given in &case.given {
            let received = given.send(&api).await;
            assert!(
                received.status < 300,
                "{name}: what is given was refused: {received:?}"
            );
        }
        let ours = case.request.send(&api).await.masked();
        let connect = case.connect.clone().masked();
        let same = case.compare.same(&connect, &ours);
        let told = || format!("\n  connect {connect:?}\n  towpath {ours:?}");
        match (reasons.get(name.as_str()), same) {
            (None, true) if case.towpath.is_none() => {}
            (None, true) => wrong.push(format!("{name}: an answer of ours is recorded and is Connect's")),
            (None, false) => wrong.push(format!("{name}: differs, and no reason is listed{}", told())),
            (Some(reason), true) => {
                wrong.push(format!("{name}: does not differ, and {reason:?} is listed"));
            }
            (Some(_), false) if case.towpath.as_ref() == Some(&ours) => {}
            (Some(_), false) if is_blessed() => {
                case.towpath = Some(ours);
                let text = serde_json::to_string_pretty(&case).expect("it is JSON");
                fs::write(path, text + "\n").expect("it can be written");
            }
            (Some(reason), false) => wrong.push(format!(
                "{name}: differs for {reason:?}, and otherwise than recorded; look, then BLESS=1{}",
                told()
            )),
        }
    }
    assert_eq!(cases.len(), 76, "cases are lost");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Differences are told where users look for them.
#[test]
fn every_difference_is_told_in_the_reference() {
    let reference = include_str!("../../REST.md");
    let mut names: Vec<String> = DIFFERENCES
        .iter()
        .map(|(_, difference)| format!("{difference:?}"))
        .collect();
    names.dedup();
    for name in names {
        assert!(
            reference.contains(&format!("| `{name}` |")),
            "{name} is not in REST.md"
        );
    }
}

//! `/openapi.json` says what the API does: its routes, its statuses, its bodies.

use std::{collections::BTreeSet, fs, path::Path};

use axum::{Router, http::StatusCode};
use serde_json::{Value, json};

use crate::{
    document::{Document, METHODS},
    fake::Fake,
    golden::{Case, cases, is_blessed},
    send::{api, json as send_json, plain},
};

const CONFIG: &str = r#"{"connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector", "tasks.max": 2,
    "source.cluster.alias": "src", "topics": "t"}"#;

/// A path of the document with names that there are, except for the one that is deleted.
fn filled(template: &str) -> String {
    template
        .replace("{connector}", "mm")
        .replace("{task}", "0")
        .replace("{plugin}", "MirrorSourceConnector")
        .replace("{logger}", "root")
}

async fn with_a_connector() -> Router {
    let api = api(Fake::new());
    let created = send_json(&api, "PUT", "/connectors/mm/config", CONFIG).await;
    assert_eq!(created.status, StatusCode::CREATED);
    api
}

#[tokio::test]
async fn what_is_described_is_there_and_nothing_else() {
    let document = Document::read(&api(Fake::new())).await;
    for path in document.paths() {
        let described = document.methods(path);
        for method in METHODS {
            // Anew, as one of them deletes it.
            let api = with_a_connector().await;
            let answer = plain(&api, method, &filled(path)).await;
            if described.contains(method) {
                assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_ne!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            let allowed: BTreeSet<&str> = answer.header("allow").expect("it says").split(',').collect();
            let without_head: BTreeSet<&str> = allowed.into_iter().filter(|one| *one != "HEAD").collect();
            assert_eq!(without_head, described, "{path}");
        }
    }
}

#[tokio::test]
async fn the_reference_has_the_same_routes() {
    let document = Document::read(&api(Fake::new())).await;
    let described: BTreeSet<String> = document
        .paths()
        .flat_map(|path| {
            let methods = document.methods(path).into_iter();
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();
    let reference = include_str!("../../REST.md");
    let (routes, _) = reference.split_once("## Where it differs").expect("it is told");
    let told: BTreeSet<String> = routes
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(route, _)| route.to_owned())
        .filter(|route| {
            METHODS
                .iter()
                .any(|method| route.starts_with(&format!("{method} /")))
        })
        .map(|route| {
            route
                .replace("{c}", "{connector}")
                .replace("{t}", "{task}")
                .replace("{p}", "{plugin}")
                .replace("{l}", "{logger}")
        })
        .collect();
    assert_eq!(described, told);
}

#[tokio::test]
async fn every_recorded_answer_is_one_that_is_described() {
    let document = Document::read(&api(Fake::new())).await;
    let mut held = 0;
    for (name, path) in cases() {
        let text = fs::read_to_string(path).expect("it can be read");
        let case: Case = serde_json::from_str(&text).expect("a case");
        let (method, ours) = (case.request.method.as_str(), case.ours());
        let path = case.request.path.split('?').next().expect("there is one");
        let Some(template) = document.template(path) else {
            assert_eq!(ours.status, 404, "{name}: {path} is not described");
            continue;
        };
        // Any GET can be asked for its head alone.
        let method = if method == "HEAD" { "GET" } else { method };
        if !document.methods(template).contains(method) {
            assert_eq!(ours.status, 405, "{name}: {method} {template} is not described");
            continue;
        }
        let body = (case.request.method != "HEAD").then_some(ours.body.as_ref());
        let wrong = document.wrong(method, template, ours.status, body);
        assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
        held += 1;
    }
    assert!(held > 60, "only {held} were held against it");
}

/// Where nothing is recorded: ours, and errors that need no connector.
#[tokio::test]
async fn every_answer_over_a_worker_in_memory_is_one_that_is_described() {
    let document = Document::read(&api(Fake::new())).await;
    for template in document.paths() {
        for method in document.methods(template) {
            for body in ["", "{}", "[", CONFIG, r#"{"level": "DEBUG"}"#] {
                for path in [filled(template), filled(template).replace("/mm", "/none")] {
                    let api = with_a_connector().await;
                    let answer = send_json(&api, method, &path, body).await;
                    let found = (!answer.body.is_empty()).then(|| answer.json());
                    let wrong =
                        document.wrong(method, template, answer.status.as_u16(), Some(found.as_ref()));
                    assert!(wrong.is_empty(), "{method} {path} {body}: {}", wrong.join("\n"));
                }
            }
            let api = with_a_connector().await;
            let answer = plain(&api, method, &filled(template)).await;
            let found = (!answer.body.is_empty()).then(|| answer.json());
            let wrong = document.wrong(method, template, answer.status.as_u16(), Some(found.as_ref()));
            assert!(wrong.is_empty(), "{method} {template}: {}", wrong.join("\n"));
        }
    }
}

#[tokio::test]
async fn it_is_whole() {
    let document = Document::read(&api(Fake::new())).await;
    assert_eq!(document.value()["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for path in document.paths() {
        for method in document.methods(path) {
            let operation = document.operation(method, path);
            let id = operation["operationId"].as_str().expect("it has one");
            assert!(ids.insert(id), "{id} is there twice");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{id}: no summary"
            );
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for parameter in &parameters {
                assert!(parameter["description"].is_string(), "{id}: {parameter}");
            }
            let named: Vec<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
                .map(|parameter| parameter["name"].as_str().expect("it has one"))
                .collect();
            let in_path: Vec<&str> = path
                .split('/')
                .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(named, in_path, "{id}");
            for (status, answer) in document.answers(method, path) {
                assert!(answer["description"].is_string(), "{id} {status}");
                if status == "201" {
                    assert!(answer["headers"]["Location"].is_object(), "{id}");
                }
            }
        }
    }
    let wrong = document.wrong_parts();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A change of the API is a change of this file, for whoever reviews it.
#[tokio::test]
async fn the_copy_in_the_repository_is_what_is_served() {
    let served = Document::read(&api(Fake::new())).await;
    let text = serde_json::to_string_pretty(served.value()).expect("it is JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if is_blessed() {
        fs::write(&path, &text).expect("it can be written");
    }
    let copy = fs::read_to_string(&path).expect("it is there; make it with BLESS=1");
    assert!(
        copy == text,
        "openapi.json is not what is served: look at the difference, after BLESS=1"
    );
}

/// What holds answers against the document notices what is wrong.
#[tokio::test]
async fn what_is_not_described_is_noticed() {
    let document = Document::read(&api(Fake::new())).await;
    let path = "/connectors/{connector}/status";
    let wrong = |status, body: Value| document.wrong("GET", path, status, Some(Some(&body)));
    let run = json!({"state": "RUNNING", "worker_id": "w"});
    let right = json!({"name": "a", "connector": run, "tasks": [], "type": "source"});
    assert!(wrong(200, right.clone()).is_empty());
    assert!(!wrong(202, right.clone()).is_empty(), "a status");
    let mut unknown = right.clone();
    unknown["connector"]["state"] = "IDLE".into();
    assert!(!wrong(200, unknown).is_empty(), "a state");
    let mut without = right;
    without.as_object_mut().expect("it is one").remove("tasks");
    assert!(!wrong(200, without).is_empty(), "a key that is missing");
    assert!(
        !wrong(404, json!({"error_code": "404", "message": "m"})).is_empty(),
        "a type"
    );
    assert!(
        !document.wrong("GET", path, 200, Some(None)).is_empty(),
        "no body"
    );
}

//! The OpenAPI document, as its readers use it.

use std::collections::BTreeSet;

use axum::Router;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::send::plain;

pub struct Document(Value);

pub const METHODS: [&str; 7] = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

const JSON: &str = "application/json";

// === impl Document ===

impl Document {
    pub async fn read(api: &Router) -> Self {
        let answer = plain(api, "GET", "/openapi.json").await;
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(answer.header("content-type"), Some(JSON));
        Self(answer.json())
    }

    pub fn value(&self) -> &Value {
        &self.0
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        map(&self.0["paths"]).keys().map(String::as_str)
    }

    pub fn methods(&self, path: &str) -> BTreeSet<&'static str> {
        let item = map(&self.0["paths"][path]);
        let known = METHODS.into_iter();
        let methods: BTreeSet<&str> = known
            .filter(|method| item.contains_key(&method.to_lowercase()))
            .collect();
        assert_eq!(methods.len(), item.len(), "{path}");
        methods
    }

    pub fn operation(&self, method: &str, path: &str) -> &Value {
        &self.0["paths"][path][method.to_lowercase()]
    }

    /// The path of the document that this one is of. Of two, the one with more words of its own.
    pub fn template(&self, path: &str) -> Option<&str> {
        let names = |template: &str| template.matches('{').count();
        let fits = |template: &str| {
            let (theirs, ours) = (template.split('/'), path.split('/'));
            theirs.clone().count() == ours.clone().count()
                && theirs
                    .zip(ours)
                    .all(|(theirs, ours)| theirs == ours || theirs.starts_with('{'))
        };
        self.paths()
            .filter(|template| fits(template))
            .min_by_key(|template| names(template))
    }

    /// Statuses with their answers.
    pub fn answers(&self, method: &str, path: &str) -> impl Iterator<Item = (&str, &Value)> {
        let answers = map(&self.operation(method, path)["responses"]).iter();
        answers.map(|(status, answer)| (status.as_str(), self.resolved(answer)))
    }

    /// What an answer has that is not described. A body of `None` is not looked at.
    pub fn wrong(&self, method: &str, path: &str, status: u16, body: Option<Option<&Value>>) -> Vec<String> {
        let found = self
            .answers(method, path)
            .find(|(code, _)| *code == status.to_string());
        let Some((_, answer)) = found else {
            return vec![format!("{method} {path}: the status {status} is not described")];
        };
        let schema = &answer["content"][JSON]["schema"];
        match body {
            Some(Some(body)) if schema.is_null() => {
                vec![format!(
                    "{method} {path} {status}: a body that is not described: {body}"
                )]
            }
            Some(Some(body)) => self
                .validator(schema)
                .iter_errors(body)
                .map(|error| format!("{method} {path} {status}: {error} at {}", error.instance_path()))
                .collect(),
            Some(None) if !schema.is_null() => vec![format!("{method} {path} {status}: no body")],
            Some(None) | None => Vec::new(),
        }
    }

    /// References that lead nowhere, and examples that are not of their schema.
    pub fn wrong_parts(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut examples = 0;
        self.look(&self.0, "#", &mut |place, part| {
            if let Some(to) = part.get("$ref").and_then(Value::as_str)
                && self.0.pointer(to.trim_start_matches('#')).is_none()
            {
                wrong.push(format!("{place}: {to} is not there"));
            }
            let of_schema = part
                .get("examples")
                .and_then(Value::as_array)
                .map(|all| (all.clone(), part));
            let of_content = part
                .get("example")
                .map(|one| (vec![one.clone()], &part["schema"]));
            for (found, schema) in [of_schema, of_content].into_iter().flatten() {
                let validator = self.validator(schema);
                for example in found {
                    examples += 1;
                    if !validator.is_valid(&example) {
                        wrong.push(format!("{place}: the example {example} is not of its schema"));
                    }
                }
            }
        });
        assert!(examples > 20, "only {examples} examples");
        wrong
    }

    fn look<'a>(&'a self, part: &'a Value, place: &str, see: &mut impl FnMut(&str, &'a Value)) {
        match part {
            Value::Object(map) => {
                see(place, part);
                // What is in an example is no part of the document.
                let inner = map
                    .iter()
                    .filter(|(key, _)| !["example", "examples"].contains(&key.as_str()));
                for (key, value) in inner {
                    self.look(value, &format!("{place}/{key}"), see);
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.look(value, place, see);
                }
            }
            _ => {}
        }
    }

    fn resolved<'a>(&'a self, part: &'a Value) -> &'a Value {
        match part["$ref"].as_str() {
            Some(to) => self
                .0
                .pointer(to.trim_start_matches('#'))
                .expect("it leads somewhere"),
            None => part,
        }
    }

    /// OpenAPI 3.1's schemas are JSON Schema's.
    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.0["components"],
        });
        jsonschema::validator_for(&whole).unwrap_or_else(|error| panic!("{schema}: {error}"))
    }
}

fn map(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("it is no object: {value}"))
}

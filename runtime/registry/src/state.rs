//! Subjects as a registry has them.

use serde::Deserialize;
use serde_json::Value;
use towpath_domain::checks::{SchemaReference, SchemaVersion, SubjectState};

use crate::{
    Error, Registry,
    ask::{Said, segment},
};

/// `GET /subjects/{subject}/versions/{version}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: u32,
    id: u32,
    schema: String,
    /// left out for Avro
    schema_type: Option<String>,
    references: Option<Vec<SchemaReference>>,
    guid: Option<String>,
    metadata: Option<Value>,
    rule_set: Option<Value>,
}

/// `GET /config/{subject}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Level {
    compatibility_level: Option<String>,
}

/// `GET /mode/{subject}`
#[derive(Deserialize)]
struct Mode {
    mode: Option<String>,
}

// === impl Registry ===

impl Registry {
    /// The subjects that are not deleted, sorted.
    pub async fn subjects(&self) -> Result<Vec<String>, Error> {
        let mut subjects: Vec<String> = match self.get("/subjects").await? {
            Said::Found(subjects) => subjects,
            Said::Missing | Said::Unknown => Vec::new(),
        };
        subjects.sort();
        Ok(subjects)
    }

    /// A subject, with its deleted versions where the registry tells. None: it does not have it.
    pub async fn subject(&self, subject: &str) -> Result<Option<SubjectState>, Error> {
        let path = format!("/subjects/{}/versions", segment(subject));
        let Said::Found(live) = self.get::<Vec<u32>>(&path).await? else {
            return Ok(None);
        };
        let all = match self.get::<Vec<u32>>(&format!("{path}?deleted=true")).await? {
            Said::Found(all) => all,
            Said::Missing | Said::Unknown => live.clone(),
        };
        let mut numbers: Vec<u32> = all.into_iter().chain(live.iter().copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut versions = Vec::with_capacity(numbers.len());
        for number in numbers {
            let deleted = !live.contains(&number);
            let query = if deleted { "?deleted=true" } else { "" };
            // Gone since it was listed: it is as if it had not been.
            if let Said::Found(version) = self.get::<Version>(&format!("{path}/{number}{query}")).await? {
                versions.push(version.stored(deleted));
            }
        }
        Ok(Some(SubjectState {
            subject: subject.to_owned(),
            compatibility: self.compatibility(subject).await?,
            mode: self.mode(subject).await?,
            versions,
        }))
    }

    /// The level in force: the subject's own, or the registry's.
    async fn compatibility(&self, subject: &str) -> Result<String, Error> {
        let own = format!("/config/{}?defaultToGlobal=true", segment(subject));
        for path in [own.as_str(), "/config"] {
            if let Said::Found(level) = self.get::<Level>(path).await?
                && let Some(level) = level.compatibility_level
            {
                return Ok(level);
            }
        }
        Ok(String::new())
    }

    /// The mode in force; empty: the registry has none.
    async fn mode(&self, subject: &str) -> Result<String, Error> {
        let own = format!("/mode/{}?defaultToGlobal=true", segment(subject));
        for path in [own.as_str(), "/mode"] {
            if let Said::Found(mode) = self.get::<Mode>(path).await?
                && let Some(mode) = mode.mode
            {
                return Ok(mode);
            }
        }
        Ok(String::new())
    }
}

// === impl Version ===

impl Version {
    fn stored(self, deleted: bool) -> SchemaVersion {
        let json = |value: Option<Value>| {
            value
                .filter(|value| !value.is_null())
                .map(|value| value.to_string())
        };
        SchemaVersion {
            version: self.version,
            id: self.id,
            guid: self.guid,
            schema_type: self.schema_type.unwrap_or_else(|| "AVRO".to_owned()),
            schema: self.schema,
            references: self.references.unwrap_or_default(),
            metadata: json(self.metadata),
            rule_set: json(self.rule_set),
            deleted,
        }
    }
}

//! What an id stands for, and the id of the same schema elsewhere.

use serde::Deserialize;
use serde_json::json;
use towpath_domain::checks::SchemaReference;

use crate::{
    Error, Registry,
    ask::{Said, segment},
};

/// A schema as registered, with what it refers to by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// `AVRO`, `PROTOBUF` or `JSON`
    pub schema_type: String,
    /// byte for byte as the registry returns it
    pub text: String,
    pub references: Vec<SchemaReference>,
}

/// A schema with the texts of all that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub schema: Schema,
    /// (name, text), dependencies first
    pub references: Vec<(String, String)>,
}

/// `GET /schemas/ids/{id}`, and a version of a subject.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    schema: String,
    schema_type: Option<String>,
    references: Option<Vec<SchemaReference>>,
}

/// `GET /schemas/ids/{id}/versions`
#[derive(Deserialize)]
struct Place {
    subject: String,
}

/// `POST /subjects/{subject}`
#[derive(Deserialize)]
struct Found {
    id: u32,
    version: u32,
}

/// References of references; deeper ones are a circle.
const DEEPEST: usize = 32;

// === impl Registry ===

impl Registry {
    /// The schema of an id. None: there is no such id.
    pub async fn schema(&self, id: u32) -> Result<Option<Schema>, Error> {
        Ok(
            match self.get::<Registered>(&format!("/schemas/ids/{id}")).await? {
                Said::Found(registered) => Some(registered.schema()),
                Said::Missing | Said::Unknown => None,
            },
        )
    }

    /// The schema of an id, with what it refers to. None: there is no such id, or one of those is gone.
    pub async fn text(&self, id: u32) -> Result<Option<Text>, Error> {
        let Some(schema) = self.schema(id).await? else {
            return Ok(None);
        };
        let mut references: Vec<(String, String)> = Vec::new();
        // Depth first: what is refered to stands before what refers to it.
        let mut open: Vec<(SchemaReference, usize, Option<String>)> = schema
            .references
            .iter()
            .rev()
            .map(|reference| (reference.clone(), 0, None))
            .collect();
        while let Some((reference, depth, text)) = open.pop() {
            if references.iter().any(|(name, _)| *name == reference.name) {
                continue;
            }
            if let Some(text) = text {
                references.push((reference.name, text));
                continue;
            }
            if depth > DEEPEST {
                return Ok(None);
            }
            let Some(found) = self.version(&reference).await? else {
                return Ok(None);
            };
            open.push((reference, depth, Some(found.text)));
            open.extend(
                found
                    .references
                    .into_iter()
                    .rev()
                    .map(|reference| (reference, depth + 1, None)),
            );
        }
        Ok(Some(Text { schema, references }))
    }

    /// The subjects that an id is registered under. Older registries do not tell.
    pub async fn subjects_of(&self, id: u32) -> Result<Vec<String>, Error> {
        Ok(
            match self
                .get::<Vec<Place>>(&format!("/schemas/ids/{id}/versions"))
                .await?
            {
                Said::Found(places) => {
                    let mut subjects: Vec<String> = places.into_iter().map(|place| place.subject).collect();
                    subjects.sort();
                    subjects.dedup();
                    subjects
                }
                Said::Missing | Said::Unknown => Vec::new(),
            },
        )
    }

    /// A version of a subject.
    pub async fn version(&self, of: &SchemaReference) -> Result<Option<Schema>, Error> {
        let path = format!(
            "/subjects/{}/versions/{}?deleted=true",
            segment(&of.subject),
            of.version
        );
        Ok(match self.get::<Registered>(&path).await? {
            Said::Found(registered) => Some(registered.schema()),
            Said::Missing | Said::Unknown => None,
        })
    }

    /// The id and version of this very schema under a subject. None: it is not registered there.
    pub async fn find(&self, subject: &str, schema: &Schema) -> Result<Option<(u32, u32)>, Error> {
        let mut body = json!({"schema": schema.text});
        // Old registries know Avro alone, and no such fields.
        if schema.schema_type != "AVRO" {
            body["schemaType"] = json!(schema.schema_type);
        }
        if !schema.references.is_empty() {
            body["references"] = json!(schema.references);
        }
        let path = format!("/subjects/{}", segment(subject));
        Ok(match self.post::<Found>(&path, &body).await? {
            Said::Found(found) => Some((found.id, found.version)),
            Said::Missing | Said::Unknown => None,
        })
    }
}

// === impl Registered ===

impl Registered {
    fn schema(self) -> Schema {
        Schema {
            schema_type: self.schema_type.unwrap_or_else(|| "AVRO".to_owned()),
            text: self.schema,
            references: self.references.unwrap_or_default(),
        }
    }
}

//! What the document says before its first path.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Components, Info, License, OpenApi, Paths, tag::TagBuilder},
};

use super::{super::error, answers};

/// The groups of operations.
#[derive(Clone, Copy)]
pub(in super::super) enum Tag {
    Worker,
    Connectors,
    Tasks,
    Offsets,
    Plugins,
    Loggers,
    Towpath,
}

const TAGS: [Tag; 7] = [
    Tag::Worker,
    Tag::Connectors,
    Tag::Tasks,
    Tag::Offsets,
    Tag::Plugins,
    Tag::Loggers,
    Tag::Towpath,
];

const DESCRIPTION: &str = "\
Kafka Connect's REST API, as a worker of Kafka Connect 4.3 has it: the same paths, methods, queries, bodies and statuses. \
What is not Connect's is tagged `Towpath`.

- Bodies are JSON, sent with `Content-Type: application/json`, and may have 1,048,576 bytes.
- Every error is `{\"error_code\", \"message\"}`, with the answer's status as `error_code`.
- Slashes at a path's end are ignored. Names in a path are percent-encoded: `a%2Fb` for `a/b`. `HEAD` is answered wherever `GET` is.
- A path that is not here is answered with 404, a method that a path does not have with 405 and `Allow`.
- There is no authentication: whoever reaches a listener can steer the worker and read the passwords in configurations.";

// === impl Tag ===

impl Tag {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Worker => "Worker",
            Self::Connectors => "Connectors",
            Self::Tasks => "Tasks",
            Self::Offsets => "Offsets",
            Self::Plugins => "Plugins",
            Self::Loggers => "Loggers",
            Self::Towpath => "Towpath",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Worker => "The worker itself.",
            Self::Connectors => {
                "Connectors: their configurations, their states, and what makes them run, pause and stop."
            }
            Self::Tasks => "The tasks of a connector.",
            Self::Offsets => "Where a connector goes on (KIP-875).",
            Self::Plugins => "Plugins, and configurations held against them (KIP-769).",
            Self::Loggers => "Levels of loggers (KIP-495, KIP-976).",
            Self::Towpath => "What Kafka Connect does not have.",
        }
    }
}

/// Without paths.
pub(super) fn document() -> OpenApi {
    let mut info = Info::new("Towpath REST API", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let mut document = OpenApi::new(info, Paths::new());
    let tag = |tag: Tag| {
        TagBuilder::new()
            .name(tag.name())
            .description(Some(tag.description()))
            .build()
    };
    document.tags = Some(TAGS.map(tag).into());
    let mut components = Components::new();
    components
        .schemas
        .insert(error::Body::name().into_owned(), error::Body::schema());
    components.responses = answers::components();
    document.components = Some(components);
    document
}

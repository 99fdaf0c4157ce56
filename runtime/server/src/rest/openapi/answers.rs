//! Errors that many operations can be answered with, and which those are.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{
        Content, ContentBuilder, HttpMethod, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, ParameterIn},
        schema::{AnyOfBuilder, Schema},
    },
};

use super::super::error;

struct Answer {
    status: StatusCode,
    name: &'static str,
    description: &'static str,
    /// a message
    example: &'static str,
}

const JSON: &str = "application/json";

/// Of every operation: of the guards around all routes, and of a worker that cannot.
static ALWAYS: [Answer; 4] = [
    Answer {
        status: StatusCode::FORBIDDEN,
        name: "Forbidden",
        description: "The worker's configuration does not allow it, and the message names the key; or the request comes from a web page of another \
                      origin (`Origin`), or calls a loopback listener by a name that is none of this machine's (`Host`).",
        example: "requests from pages of another origin are not taken",
    },
    Answer {
        status: StatusCode::NOT_ACCEPTABLE,
        name: "NotAcceptable",
        description: "`Accept` does not take `application/json`.",
        example: "HTTP 406 Not Acceptable",
    },
    Answer {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        name: "InternalServerError",
        description: "It was tried and failed; or the worker did not answer within 90,000 ms (`Request timed out.`), and it may still be done.",
        example: "Request timed out. It may still be done.",
    },
    Answer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        name: "ServiceUnavailable",
        description: "The worker cannot do it now: it starts, it stops, or a cluster cannot be reached. The same request may be taken later.",
        example: "the cluster of the worker's own topics cannot be reached",
    },
];

/// Of paths with names in them.
static NAMED: [Answer; 1] = [Answer {
    status: StatusCode::NOT_FOUND,
    name: "NotFound",
    description: "There is nothing of that name.",
    example: "Connector orders-mirror not found",
}];

/// Of what changes something of a connector.
static CHANGES: [Answer; 2] = [
    Answer {
        status: StatusCode::BAD_REQUEST,
        name: "BadRequest",
        description: "The request makes no sense. The message names each mistake and its remedy, all at once.",
        example: "the body is not JSON: EOF while parsing an object at line 1 column 1",
    },
    Answer {
        status: StatusCode::CONFLICT,
        name: "Conflict",
        description: "Something else is under way: the same request may be taken in a moment. Or there is already what should be created.",
        example: "Connector orders-mirror already exists",
    },
];

/// Of requests with a body.
static BODIES: [Answer; 3] = [
    Answer {
        status: StatusCode::REQUEST_TIMEOUT,
        name: "RequestTimeout",
        description: "The body was not complete 10,000 ms after its head. The connection is closed.",
        example: "HTTP 408 Request Timeout",
    },
    Answer {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        name: "PayloadTooLarge",
        description: "The body has more than 1,048,576 bytes.",
        example: "HTTP 413 Payload Too Large: a body may have 1048576 bytes",
    },
    Answer {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        name: "UnsupportedMediaType",
        description: "`Content-Type` is not `application/json`.",
        example: "HTTP 415 Unsupported Media Type",
    },
];

// === impl Answer ===

impl Answer {
    fn response(&self) -> Response {
        let example = json!({ "error_code": self.status.as_u16(), "message": self.example });
        let content = ContentBuilder::new()
            .schema(Some(error()))
            .example(Some(example))
            .build();
        ResponseBuilder::new()
            .description(self.description)
            .content(JSON, content)
            .build()
    }

    /// An operation's own body of this status, or else the error.
    fn beside(&self, own: &mut Response) {
        let Some(Content {
            schema: Some(schema), ..
        }) = own.content.get_mut(JSON)
        else {
            return;
        };
        let error = RefOr::Ref(error());
        if *schema != error {
            let either = AnyOfBuilder::new().item(schema.clone()).item(error).build();
            *schema = RefOr::T(Schema::AnyOf(either));
        }
    }
}

/// What an operation says of a status by itself stays.
pub(super) fn add(operation: &mut Operation, methods: &[HttpMethod]) {
    let mut answers: Vec<&Answer> = ALWAYS.iter().collect();
    let parameters = operation.parameters.iter().flatten();
    if parameters
        .into_iter()
        .any(|one| one.parameter_in == ParameterIn::Path)
    {
        answers.extend(&NAMED);
    }
    if methods.iter().any(|method| *method != HttpMethod::Get) {
        answers.extend(&CHANGES);
    }
    if operation.request_body.is_some() {
        answers.extend(&BODIES);
    }
    let responses = &mut operation.responses.responses;
    for answer in answers {
        let status = answer.status.as_u16().to_string();
        match responses.get_mut(&status) {
            Some(RefOr::T(own)) => answer.beside(own),
            Some(RefOr::Ref(_)) => {}
            None => {
                let shared = RefOr::Ref(Ref::from_response_name(answer.name));
                responses.insert(status, shared);
            }
        }
    }
}

/// The answers that operations refer to.
pub(super) fn components() -> BTreeMap<String, RefOr<Response>> {
    let all = [&ALWAYS[..], &NAMED, &CHANGES, &BODIES];
    all.into_iter()
        .flatten()
        .map(|answer| (answer.name.to_owned(), RefOr::T(answer.response())))
        .collect()
}

fn error() -> Ref {
    Ref::from_schema_name(error::Body::name())
}

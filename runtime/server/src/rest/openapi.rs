//! `/openapi.json`: this API in OpenAPI 3.1. What is served and what is described are one table, [`Routes`].

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Bytes,
    handler::Handler,
    http::header,
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use utoipa::{
    __dev::SchemaReferences,
    Path, ToSchema,
    openapi::{HttpMethod, OpenApi},
};

use crate::herder::Herder;

mod answers;
mod head;
mod parameters;

pub(super) use head::Tag;

/// Operations with their handlers. What an operation shares with others is added here: the names in its path, and the errors that it can be
/// answered with as any other. (`utoipa-axum` has no such table for generic handlers, and stands on a crate that nobody keeps up.)
pub(super) struct Routes<H> {
    router: Router<Arc<H>>,
    document: OpenApi,
    tag: Tag,
}

/// The document as it is sent.
#[derive(Clone)]
struct Document(Bytes);

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Worker).route(__path_document, document)
}

// === impl Routes ===

impl<H: Herder> Routes<H> {
    pub(super) fn new(tag: Tag) -> Self {
        Self {
            router: Router::new(),
            document: head::document(),
            tag,
        }
    }

    /// `operation` is what `utoipa::path` makes of the handler: `__path_` and its name.
    pub(super) fn route<P, T>(mut self, _: P, handler: impl Handler<T, Arc<H>>) -> Self
    where
        P: Path + SchemaReferences,
        T: 'static,
    {
        let (path, methods) = (P::path(), P::methods());
        for method in &methods {
            self.router = self.router.route(&path, on(filter(method), handler.clone()));
        }
        let mut operation = P::operation();
        operation.tags = Some(vec![self.tag.name().to_owned()]);
        let mut named = parameters::of(&path);
        named.extend(operation.parameters.take().unwrap_or_default());
        operation.parameters = (!named.is_empty()).then_some(named);
        answers::add(&mut operation, &methods);
        let mut schemas = Vec::new();
        P::schemas(&mut schemas);
        let components = self.document.components.get_or_insert_default();
        components.schemas.extend(schemas);
        self.document.paths.add_path_operation(path, methods, operation);
        self
    }

    /// The type of a query's parameter: an operation does not bring it.
    pub(super) fn schema<S: ToSchema>(mut self) -> Self {
        let components = self.document.components.get_or_insert_default();
        components.schemas.insert(S::name().into_owned(), S::schema());
        self
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.document.merge(other.document);
        self
    }

    pub(super) fn into_router(self) -> Router<Arc<H>> {
        let document = self
            .document
            .to_json()
            .expect("all its keys are strings, and it is written to memory");
        self.router.layer(Extension(Document(document.into())))
    }
}

/// This document.
///
/// Made of the code that serves the requests. Operations are named as in the document that Apache Kafka publishes of Kafka Connect.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenApi",
    responses((status = OK, description = "OpenAPI 3.1", body = Object)),
)]
async fn document(Extension(Document(document)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}

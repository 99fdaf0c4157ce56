use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        CreateAclsRequest, CreateAclsResponse, create_acls_request::AclCreation,
        create_acls_response::AclCreationResult,
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Authorizer, Binding, CLUSTER, Invalid, Operation, Pattern, Permission, Resource},
    context::Context,
};

impl Api for CreateAclsRequest {
    const SERVED: RangeInclusive<i16> = 1..=3;

    async fn handle(self, ctx: &Context, version: i16) -> CreateAclsResponse {
        let mut state = ctx.state();
        if state.coordinators.authorizer == Authorizer::Disabled {
            return self.refuse(ctx, ErrorCode::SecurityDisabled, version);
        }
        if !state.may(&ctx.client, Operation::Alter, Resource::Cluster, CLUSTER) {
            return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
        }
        let created = self.creations.iter().map(|creation| match binding(creation) {
            Ok(binding) => {
                state.coordinators.acls.add(binding);
                AclCreationResult::default()
            }
            Err(Invalid(reason)) => result(kind(creation), &reason),
        });
        let created = created.collect();
        CreateAclsResponse::default().with_results(created)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> CreateAclsResponse {
        let refused = self
            .creations
            .iter()
            .map(|_| result(code, &code.to_string()))
            .collect();
        CreateAclsResponse::default().with_results(refused)
    }

    fn throttle(answer: &mut CreateAclsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

/// A broker stumbles over what means something in filters alone (ANY, MATCH): its own classes cannot hold it.
fn kind(creation: &AclCreation) -> ErrorCode {
    let of_filters = creation.resource_type == 1
        || (1..=2).contains(&creation.resource_pattern_type)
        || creation.operation == 1
        || creation.permission_type == 1;
    if of_filters {
        ErrorCode::UnknownServerError
    } else {
        ErrorCode::InvalidRequest
    }
}

fn binding(creation: &AclCreation) -> Result<Binding, Invalid> {
    let unknown = |what: &str, number: i8| Invalid(format!("Invalid {what} {number}"));
    let binding = Binding {
        resource: Resource::of(creation.resource_type)
            .ok_or_else(|| unknown("resource type", creation.resource_type))?,
        pattern: Pattern::of(creation.resource_pattern_type)
            .ok_or_else(|| unknown("resource pattern type", creation.resource_pattern_type))?,
        name: creation.resource_name.to_string(),
        principal: creation.principal.to_string(),
        host: creation.host.to_string(),
        operation: Operation::of(creation.operation)
            .ok_or_else(|| unknown("operation", creation.operation))?,
        permission: Permission::of(creation.permission_type)
            .ok_or_else(|| unknown("permission type", creation.permission_type))?,
    };
    binding.check()?;
    Ok(binding)
}

fn result(code: ErrorCode, message: &str) -> AclCreationResult {
    AclCreationResult::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
}

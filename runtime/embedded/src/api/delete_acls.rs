use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        DeleteAclsRequest, DeleteAclsResponse,
        delete_acls_request::DeleteAclsFilter,
        delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Authorizer, Binding, CLUSTER, Filter, Invalid, Operation, PatternFilter, Permission, Resource},
    context::Context,
    coordinators::text,
};

impl Api for DeleteAclsRequest {
    const SERVED: RangeInclusive<i16> = 1..=3;

    async fn handle(self, ctx: &Context, version: i16) -> DeleteAclsResponse {
        let mut state = ctx.state();
        if state.coordinators.authorizer == Authorizer::Disabled {
            return self.refuse(ctx, ErrorCode::SecurityDisabled, version);
        }
        if !state.may(&ctx.client, Operation::Alter, Resource::Cluster, CLUSTER) {
            return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
        }
        let deleted = self.filters.iter().map(|asked| match filter(asked) {
            Ok(filter) => {
                let removed = state.coordinators.acls.remove(&filter);
                let removed = removed.iter().map(matching).collect();
                DeleteAclsFilterResult::default().with_matching_acls(removed)
            }
            Err(Invalid(reason)) => refused(ErrorCode::InvalidRequest, &reason),
        });
        let deleted = deleted.collect();
        DeleteAclsResponse::default().with_filter_results(deleted)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DeleteAclsResponse {
        let results = self
            .filters
            .iter()
            .map(|_| refused(code, &code.to_string()))
            .collect();
        DeleteAclsResponse::default().with_filter_results(results)
    }

    fn throttle(answer: &mut DeleteAclsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn filter(asked: &DeleteAclsFilter) -> Result<Filter, Invalid> {
    let string = |text: &Option<StrBytes>| text.as_ref().map(|text| text.to_string());
    Ok(Filter {
        resource: Filter::number(asked.resource_type_filter, Resource::of, "resource type")?,
        pattern: PatternFilter::of(asked.pattern_type_filter)?,
        name: string(&asked.resource_name_filter),
        principal: string(&asked.principal_filter),
        host: string(&asked.host_filter),
        operation: Filter::number(asked.operation, Operation::of, "operation")?,
        permission: Filter::number(asked.permission_type, Permission::of, "permission type")?,
    })
}

fn matching(binding: &Binding) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl::default()
        .with_resource_type(binding.resource.number())
        .with_resource_name(text(&binding.name))
        .with_pattern_type(binding.pattern.number())
        .with_principal(text(&binding.principal))
        .with_host(text(&binding.host))
        .with_operation(binding.operation.number())
        .with_permission_type(binding.permission.number())
}

fn refused(code: ErrorCode, message: &str) -> DeleteAclsFilterResult {
    DeleteAclsFilterResult::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
}

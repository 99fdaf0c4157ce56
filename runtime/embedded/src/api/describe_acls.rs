use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        DescribeAclsRequest, DescribeAclsResponse,
        describe_acls_response::{AclDescription, DescribeAclsResource},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Authorizer, CLUSTER, Filter, Invalid, Operation, PatternFilter, Permission, Resource},
    context::Context,
    coordinators::text,
};

impl Api for DescribeAclsRequest {
    const SERVED: RangeInclusive<i16> = 1..=3;

    async fn handle(self, ctx: &Context, version: i16) -> DescribeAclsResponse {
        let state = ctx.state();
        if state.coordinators.authorizer == Authorizer::Disabled {
            return refused(ErrorCode::SecurityDisabled, "No Authorizer is configured.");
        }
        if !state.may(&ctx.client, Operation::Describe, Resource::Cluster, CLUSTER) {
            return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
        }
        let filter = match filter(&self) {
            Ok(filter) => filter,
            Err(Invalid(reason)) => return refused(ErrorCode::InvalidRequest, &reason),
        };
        let mut resources = BTreeMap::<_, Vec<_>>::new();
        for binding in state.coordinators.acls.matching(&filter) {
            let acl = AclDescription::default()
                .with_principal(text(&binding.principal))
                .with_host(text(&binding.host))
                .with_operation(binding.operation.number())
                .with_permission_type(binding.permission.number());
            let resource = (binding.resource, binding.pattern, binding.name);
            resources.entry(resource).or_default().push(acl);
        }
        let resource =
            |((resource, pattern, name), acls): ((Resource, crate::acls::Pattern, String), Vec<_>)| {
                DescribeAclsResource::default()
                    .with_resource_type(resource.number())
                    .with_pattern_type(pattern.number())
                    .with_resource_name(StrBytes::from_string(name))
                    .with_acls(acls)
            };
        DescribeAclsResponse::default().with_resources(resources.into_iter().map(resource).collect())
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeAclsResponse {
        refused(code, &code.to_string())
    }

    fn throttle(answer: &mut DescribeAclsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn filter(request: &DescribeAclsRequest) -> Result<Filter, Invalid> {
    let string = |text: &Option<StrBytes>| text.as_ref().map(|text| text.to_string());
    Ok(Filter {
        resource: Filter::number(request.resource_type_filter, Resource::of, "resource type")?,
        pattern: PatternFilter::of(request.pattern_type_filter)?,
        name: string(&request.resource_name_filter),
        principal: string(&request.principal_filter),
        host: string(&request.host_filter),
        operation: Filter::number(request.operation, Operation::of, "operation")?,
        permission: Filter::number(request.permission_type, Permission::of, "permission type")?,
    })
}

fn refused(code: ErrorCode, message: &str) -> DescribeAclsResponse {
    DescribeAclsResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
}

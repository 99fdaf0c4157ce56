use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
        describe_user_scram_credentials_response::{CredentialInfo, DescribeUserScramCredentialsResult},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{CLUSTER, Operation, Resource},
    context::Context,
    coordinators::text,
    users::ScramMechanism,
};

impl Api for DescribeUserScramCredentialsRequest {
    const SERVED: RangeInclusive<i16> = 0..=0;

    async fn handle(self, ctx: &Context, version: i16) -> DescribeUserScramCredentialsResponse {
        let state = ctx.state();
        if !state.may(&ctx.client, Operation::Describe, Resource::Cluster, CLUSTER) {
            return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
        }
        let known = state.coordinators.users.described();
        let asked = self.users.unwrap_or_default();
        if asked.is_empty() {
            let all = known
                .iter()
                .map(|(user, credentials)| described(user, credentials))
                .collect();
            return DescribeUserScramCredentialsResponse::default().with_results(all);
        }
        let mut times = BTreeMap::<&str, usize>::new();
        for user in &asked {
            *times.entry(&user.name).or_default() += 1;
        }
        let results = times.into_iter().map(|(user, times)| match known.get(user) {
            _ if times > 1 => {
                let message = "Cannot describe SCRAM credentials for the same user twice in a single request";
                refused(user, ErrorCode::DuplicateResource, message)
            }
            Some(credentials) => described(user, credentials),
            None => {
                let message = "Attempt to describe a user credential that does not exist";
                refused(user, ErrorCode::ResourceNotFound, message)
            }
        });
        DescribeUserScramCredentialsResponse::default().with_results(results.collect())
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeUserScramCredentialsResponse {
        DescribeUserScramCredentialsResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(code.to_string())))
    }

    fn throttle(answer: &mut DescribeUserScramCredentialsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn described(user: &str, credentials: &[(ScramMechanism, u32)]) -> DescribeUserScramCredentialsResult {
    let info = |(mechanism, iterations): &(ScramMechanism, u32)| {
        CredentialInfo::default()
            .with_mechanism(mechanism.number())
            .with_iterations(i32::try_from(*iterations).unwrap_or(i32::MAX))
    };
    DescribeUserScramCredentialsResult::default()
        .with_user(text(user))
        .with_credential_infos(credentials.iter().map(info).collect())
}

fn refused(user: &str, code: ErrorCode, message: &str) -> DescribeUserScramCredentialsResult {
    DescribeUserScramCredentialsResult::default()
        .with_user(text(user))
        .with_error_code(code.code())
        .with_error_message(Some(text(message)))
}

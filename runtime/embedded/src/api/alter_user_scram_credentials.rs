use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
        alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion},
        alter_user_scram_credentials_response::AlterUserScramCredentialsResult,
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{CLUSTER, Operation, Resource},
    context::Context,
    coordinators::text,
    users::{Credential, MAX_ITERATIONS, MIN_ITERATIONS, ScramMechanism, Users},
};

impl Api for AlterUserScramCredentialsRequest {
    const SERVED: RangeInclusive<i16> = 0..=0;

    async fn handle(self, ctx: &Context, version: i16) -> AlterUserScramCredentialsResponse {
        let mut state = ctx.state();
        if !state.may(&ctx.client, Operation::Alter, Resource::Cluster, CLUSTER) {
            return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
        }
        let users = &mut state.coordinators.users;
        // All of a user, or nothing.
        let mut results = BTreeMap::<&str, Result<(), (ErrorCode, &str)>>::new();
        let mut seen = Vec::new();
        for (user, mechanism) in self.named() {
            let twice = seen.contains(&(user, mechanism));
            seen.push((user, mechanism));
            let result = if twice {
                let message = "A user credential cannot be altered twice in the same request";
                Err((ErrorCode::DuplicateResource, message))
            } else {
                check_name(user, mechanism)
            };
            merge(&mut results, user, result);
        }
        for deletion in &self.deletions {
            merge(&mut results, &deletion.name, check_deletion(deletion, users));
        }
        for upsertion in &self.upsertions {
            merge(&mut results, &upsertion.name, check_upsertion(upsertion));
        }
        let is_sound = |user: &StrBytes| results.get(user.as_str()).is_some_and(Result::is_ok);
        for deletion in self.deletions.iter().filter(|deletion| is_sound(&deletion.name)) {
            if let Some(mechanism) = ScramMechanism::of(deletion.mechanism) {
                users.remove(&deletion.name, mechanism);
            }
        }
        for upsertion in self
            .upsertions
            .iter()
            .filter(|upsertion| is_sound(&upsertion.name))
        {
            if let Some(mechanism) = ScramMechanism::of(upsertion.mechanism) {
                let iterations = u32::try_from(upsertion.iterations).unwrap_or(MIN_ITERATIONS);
                let (salted, salt) = (&upsertion.salted_password, upsertion.salt.to_vec());
                let credential = Credential::of_salted(mechanism, salted, salt, iterations);
                users.set(&upsertion.name, mechanism, credential);
            }
        }
        let results = results.iter().map(|(user, result)| match result {
            Ok(()) => AlterUserScramCredentialsResult::default().with_user(text(user)),
            Err((code, message)) => refused(user, *code, message),
        });
        AlterUserScramCredentialsResponse::default().with_results(results.collect())
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> AlterUserScramCredentialsResponse {
        let users: BTreeMap<_, _> = self.named().collect();
        let results = users
            .keys()
            .map(|user| refused(user, code, &code.to_string()))
            .collect();
        AlterUserScramCredentialsResponse::default().with_results(results)
    }

    fn throttle(answer: &mut AlterUserScramCredentialsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

trait Named {
    /// Users and mechanisms.
    fn named(&self) -> impl Iterator<Item = (&str, i8)>;
}

impl Named for AlterUserScramCredentialsRequest {
    fn named(&self) -> impl Iterator<Item = (&str, i8)> {
        let deletions = self
            .deletions
            .iter()
            .map(|one| (one.name.as_str(), one.mechanism));
        deletions.chain(
            self.upsertions
                .iter()
                .map(|one| (one.name.as_str(), one.mechanism)),
        )
    }
}

type Checked = Result<(), (ErrorCode, &'static str)>;

fn check_name(user: &str, mechanism: i8) -> Checked {
    if user.is_empty() {
        return Err((ErrorCode::UnacceptableCredential, "Username must not be empty"));
    }
    if ScramMechanism::of(mechanism).is_none() {
        return Err((ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism"));
    }
    Ok(())
}

fn check_deletion(deletion: &ScramCredentialDeletion, users: &Users) -> Checked {
    let mechanism = ScramMechanism::of(deletion.mechanism);
    let known = mechanism.is_some_and(|mechanism| users.credential(&deletion.name, mechanism).is_some());
    if known {
        Ok(())
    } else {
        let message = "Attempt to delete a user credential that does not exist";
        Err((ErrorCode::ResourceNotFound, message))
    }
}

fn check_upsertion(upsertion: &ScramCredentialUpsertion) -> Checked {
    match u32::try_from(upsertion.iterations) {
        Ok(MIN_ITERATIONS..=MAX_ITERATIONS) => Ok(()),
        Ok(iterations) if iterations > MAX_ITERATIONS => {
            Err((ErrorCode::UnacceptableCredential, "Too many iterations"))
        }
        _ => Err((ErrorCode::UnacceptableCredential, "Too few iterations")),
    }
}

/// A user's first error stays.
fn merge<'a>(results: &mut BTreeMap<&'a str, Checked>, user: &'a str, result: Checked) {
    let known = results.entry(user).or_insert(Ok(()));
    if known.is_ok() {
        *known = result;
    }
}

fn refused(user: &str, code: ErrorCode, message: &str) -> AlterUserScramCredentialsResult {
    AlterUserScramCredentialsResult::default()
        .with_user(text(user))
        .with_error_code(code.code())
        .with_error_message(Some(text(message)))
}

use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        AlterClientQuotasRequest, AlterClientQuotasResponse,
        alter_client_quotas_request::EntryData as Asked,
        alter_client_quotas_response::{EntityData, EntryData},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{CLUSTER, Operation, Resource},
    context::Context,
    quotas::{self, Change, Entity},
};

impl Api for AlterClientQuotasRequest {
    const SERVED: RangeInclusive<i16> = 0..=1;

    async fn handle(self, ctx: &Context, version: i16) -> AlterClientQuotasResponse {
        let mut state = ctx.state();
        if !state.may(&ctx.client, Operation::AlterConfigs, Resource::Cluster, CLUSTER) {
            return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
        }
        let altered = self.entries.iter().map(|asked| {
            let changed = change(asked).map(|(entity, changes)| {
                if !self.validate_only {
                    state.coordinators.quotas.alter(&entity, &changes);
                }
            });
            match changed {
                Ok(()) => entry(asked),
                Err((code, message)) => refused(asked, code, &message),
            }
        });
        let altered = altered.collect();
        AlterClientQuotasResponse::default().with_entries(altered)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> AlterClientQuotasResponse {
        let refused = self
            .entries
            .iter()
            .map(|asked| refused(asked, code, &code.to_string()))
            .collect();
        AlterClientQuotasResponse::default().with_entries(refused)
    }

    fn throttle(answer: &mut AlterClientQuotasResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn change(asked: &Asked) -> Result<(Entity, Vec<Change>), (ErrorCode, String)> {
    let parts = asked.entity.iter().map(|part| {
        (
            part.entity_type.to_string(),
            part.entity_name.as_ref().map(|name| name.to_string()),
        )
    });
    let entity = Entity::new(parts.collect()).map_err(|message| (ErrorCode::InvalidRequest, message))?;
    let mut changes = Vec::with_capacity(asked.ops.len());
    for op in &asked.ops {
        let key = op.key.to_string();
        let change = if op.remove {
            Change::Remove(key)
        } else {
            Change::Set(key, op.value)
        };
        quotas::check(&entity, &change)?;
        changes.push(change);
    }
    Ok((entity, changes))
}

fn entry(asked: &Asked) -> EntryData {
    let entity = asked.entity.iter().map(|part| {
        EntityData::default()
            .with_entity_type(part.entity_type.clone())
            .with_entity_name(part.entity_name.clone())
    });
    EntryData::default().with_entity(entity.collect())
}

fn refused(asked: &Asked, code: ErrorCode, message: &str) -> EntryData {
    entry(asked)
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
}

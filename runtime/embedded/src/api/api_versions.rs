use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        ApiVersionsRequest, ApiVersionsResponse,
        api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey},
    },
    protocol::StrBytes,
};

use super::{Api, TABLE, number};
use crate::{ErrorCode, context::Context};

/// Features that clients go by: what Kafka 4.3 has when it is formatted anew.
const FEATURES: &[(&str, i16)] = &[
    ("group.version", 1),
    ("metadata.version", 29),
    ("transaction.version", 2),
];

impl Api for ApiVersionsRequest {
    const SERVED: RangeInclusive<i16> = 0..=4;

    async fn handle(self, _: &Context, version: i16) -> ApiVersionsResponse {
        let name = |text: &StrBytes| {
            let mut letters = text.chars();
            letters.all(|letter| letter.is_ascii_alphanumeric() || "-.".contains(letter)) && !text.is_empty()
        };
        let named = version < 3 || name(&self.client_software_name) && name(&self.client_software_version);
        if !named {
            return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
        }
        let answer = versions(None);
        if version < 3 {
            return answer;
        }
        let feature = |(name, level): &(&'static str, i16)| {
            FinalizedFeatureKey::default()
                .with_name(StrBytes::from_static_str(name))
                .with_max_version_level(*level)
                .with_min_version_level(*level)
        };
        let supported = |(name, level): &(&'static str, i16)| {
            SupportedFeatureKey::default()
                .with_name(StrBytes::from_static_str(name))
                // Version 3 cannot say 0.
                .with_min_version(1)
                .with_max_version(*level)
        };
        answer
            .with_supported_features(FEATURES.iter().map(supported).collect())
            .with_finalized_features(FEATURES.iter().map(feature).collect())
            .with_finalized_features_epoch(1)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> ApiVersionsResponse {
        ApiVersionsResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut ApiVersionsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

/// What is served, in a form that fits every version.
pub(crate) fn versions(code: Option<ErrorCode>) -> ApiVersionsResponse {
    let row = |row: &super::Row| {
        ApiVersion::default()
            .with_api_key(row.key as i16)
            .with_min_version(row.min)
            .with_max_version(row.max)
    };
    ApiVersionsResponse::default()
        .with_error_code(number(code))
        .with_api_keys(TABLE.iter().map(row).collect())
}

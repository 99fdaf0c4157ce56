use std::{collections::HashMap, time::Duration};

use kafka_protocol::messages::ApiKey;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{Action, plausible_errors};

/// Random faults: how likely each kind is, per request. What happens to the nth request of an API follows from the seed alone, however
/// the requests of different APIs and connections come between each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Random {
    pub seed: u64,
    /// One of the API's [`plausible_errors`], instead of handling the request.
    pub error: f64,
    /// The same after handling it.
    pub error_after: f64,
    pub drop_before: f64,
    pub drop_after: f64,
    pub delay: f64,
    /// The longest delay and throttle; the shortest is 1 ms.
    pub max_delay: Duration,
    pub throttle: f64,
    pub wrong_correlation: f64,
    pub short_frame: f64,
    pub garbage: f64,
    /// Requests that are never answered: clients find out by their own deadline.
    pub hang: f64,
}

/// Where a run of random faults is.
#[derive(Debug)]
pub(super) struct State {
    random: Random,
    /// Requests so far, by API.
    seen: HashMap<i16, u64>,
    hits: u64,
}

// === impl Random ===

impl Random {
    /// Nothing happens: to start from.
    pub const fn none(seed: u64) -> Self {
        Self {
            seed,
            error: 0.0,
            error_after: 0.0,
            drop_before: 0.0,
            drop_after: 0.0,
            delay: 0.0,
            max_delay: Duration::from_millis(50),
            throttle: 0.0,
            wrong_correlation: 0.0,
            short_frame: 0.0,
            garbage: 0.0,
            hang: 0.0,
        }
    }

    /// What a bad day in production has: a fault in about one of 25 requests, none of which a client cannot notice by itself at once.
    pub const fn gentle(seed: u64) -> Self {
        Self {
            error: 0.01,
            error_after: 0.005,
            drop_before: 0.005,
            drop_after: 0.005,
            delay: 0.01,
            throttle: 0.005,
            ..Self::none(seed)
        }
    }

    /// Every kind, in about one of seven requests.
    pub const fn harsh(seed: u64) -> Self {
        Self {
            error: 0.04,
            error_after: 0.02,
            drop_before: 0.02,
            drop_after: 0.02,
            delay: 0.02,
            throttle: 0.01,
            wrong_correlation: 0.005,
            short_frame: 0.005,
            garbage: 0.005,
            hang: 0.001,
            ..Self::none(seed)
        }
    }
}

// === impl State ===

impl State {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            seen: HashMap::new(),
            hits: 0,
        }
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits
    }

    pub(super) fn judge(&mut self, api: ApiKey) -> Option<Action> {
        if api == ApiKey::ApiVersions {
            return None;
        }
        let key = api as i16;
        let nth = self.seen.entry(key).or_default();
        *nth += 1;
        // One generator a request: what happens does not hang on what other APIs were asked before.
        let stream = (key as u64) << 48 ^ *nth;
        let mut rng = StdRng::seed_from_u64(self.random.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let action = choose(&self.random, api, &mut rng);
        self.hits += u64::from(action.is_some());
        action
    }
}

fn choose(random: &Random, api: ApiKey, rng: &mut StdRng) -> Option<Action> {
    let errors = plausible_errors(api);
    let error = (!errors.is_empty()).then(|| errors[rng.random_range(0..errors.len())]);
    let longest = random.max_delay.as_millis().max(1) as u64;
    let delay = Duration::from_millis(rng.random_range(1..=longest));
    let kinds = [
        (random.error, error.map(Action::Error)),
        (random.error_after, error.map(Action::ErrorAfter)),
        (random.drop_before, Some(Action::DropBefore)),
        (random.drop_after, Some(Action::DropAfter)),
        (random.delay, Some(Action::Delay(delay))),
        (random.throttle, Some(Action::Throttle(delay))),
        (random.wrong_correlation, Some(Action::WrongCorrelation)),
        (random.short_frame, Some(Action::ShortFrame)),
        (random.garbage, Some(Action::Garbage)),
        (random.hang, Some(Action::Hang)),
    ];
    let mut roll: f64 = rng.random();
    for (likely, action) in kinds {
        if roll < likely {
            return action;
        }
        roll -= likely;
    }
    None
}

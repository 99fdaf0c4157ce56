//! What is to be done so that what is there becomes what is wanted. Pure; to be asked again after every change of either.

use std::collections::BTreeMap;

use super::desired::{Desired, Generation, WrittenLimits};
use crate::herder::Target;

/// What is there of one connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Observed {
    /// it is checked, or runs
    Living {
        generation: Generation,
        /// none before it runs
        limits: Option<WrittenLimits>,
    },
    /// it was told to end, and stores its last positions
    Ending,
    Failed {
        generation: Generation,
        due: Due,
    },
    /// it has ended because nothing was wanted of it
    Resting,
}

/// Whether what has failed is to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    /// later, or never
    NotYet,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Start(String),
    End(String),
    /// apply the limits that are wanted
    Limit(String),
    /// nothing is left of it
    Forget(String),
}

/// At most one action a connector. A successor starts only when its predecessor has ended: both would write.
pub(super) fn reconcile(desired: &Desired, observed: &BTreeMap<String, Observed>) -> Vec<Action> {
    let mut actions = Vec::new();
    for (name, wanted) in &desired.connectors {
        let is_wanted = wanted.target == Target::Running;
        let action = match observed.get(name) {
            Some(Observed::Ending) => None,
            Some(Observed::Living { generation, .. }) if !is_wanted || *generation != wanted.generation => {
                Some(Action::End(name.clone()))
            }
            Some(Observed::Living {
                limits: Some(limits), ..
            }) if *limits != wanted.limits() => Some(Action::Limit(name.clone())),
            Some(Observed::Living { .. }) => None,
            Some(Observed::Failed { generation, due }) if is_wanted => {
                let is_another = *generation != wanted.generation;
                (is_another || *due == Due::Now).then(|| Action::Start(name.clone()))
            }
            // What has failed is forgotten where it is not to run.
            Some(Observed::Failed { .. }) => Some(Action::Forget(name.clone())),
            Some(Observed::Resting) | None => is_wanted.then(|| Action::Start(name.clone())),
        };
        actions.extend(action);
    }
    for (name, observed) in observed {
        if !desired.connectors.contains_key(name) {
            match observed {
                Observed::Ending => {}
                Observed::Living { .. } => actions.push(Action::End(name.clone())),
                Observed::Failed { .. } | Observed::Resting => actions.push(Action::Forget(name.clone())),
            }
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use towpath_domain::config::Config;

    use super::{
        super::desired::{Wanted, limits},
        *,
    };

    /// One connector that is wanted so, and that is there so.
    fn one(wanted: Option<(Target, u64)>, observed: Option<Observed>) -> Vec<Action> {
        let mut desired = Desired::default();
        if let Some((target, generation)) = wanted {
            let config = Config::from([("source.max.bytes.per.second".to_owned(), "7".to_owned())]);
            let wanted = Wanted {
                config,
                target,
                generation: Generation(generation),
            };
            desired.connectors.insert("a".to_owned(), wanted);
        }
        let observed = observed.map(|observed| ("a".to_owned(), observed));
        reconcile(&desired, &observed.into_iter().collect())
    }

    fn living(generation: u64) -> Option<Observed> {
        let config = Config::from([("source.max.bytes.per.second".to_owned(), "7".to_owned())]);
        Some(Observed::Living {
            generation: Generation(generation),
            limits: Some(limits(&config)),
        })
    }

    fn checked(generation: u64) -> Option<Observed> {
        Some(Observed::Living {
            generation: Generation(generation),
            limits: None,
        })
    }

    fn failed(generation: u64, due: Due) -> Option<Observed> {
        Some(Observed::Failed {
            generation: Generation(generation),
            due,
        })
    }

    #[test]
    fn what_is_to_run_is_started_once_and_again_when_it_has_changed() {
        let running = Some((Target::Running, 2));
        let start = [Action::Start("a".to_owned())];
        let end = [Action::End("a".to_owned())];
        assert_eq!(one(running, None), start);
        assert_eq!(one(running, Some(Observed::Resting)), start);
        assert_eq!(one(running, living(2)), []);
        assert_eq!(one(running, checked(2)), []);
        assert_eq!(one(running, living(1)), end);
        assert_eq!(one(running, checked(1)), end);
        assert_eq!(one(running, Some(Observed::Ending)), [], "two must not write");
    }

    #[test]
    fn what_has_failed_is_tried_again_when_it_is_due_or_has_changed() {
        let running = Some((Target::Running, 2));
        let start = [Action::Start("a".to_owned())];
        assert_eq!(one(running, failed(2, Due::NotYet)), []);
        assert_eq!(one(running, failed(2, Due::Now)), start);
        assert_eq!(one(running, failed(1, Due::NotYet)), start);
        let forget = [Action::Forget("a".to_owned())];
        assert_eq!(one(Some((Target::Stopped, 2)), failed(2, Due::Now)), forget);
    }

    #[test]
    fn what_is_not_to_run_or_is_gone_ends() {
        let end = [Action::End("a".to_owned())];
        for target in [Target::Paused, Target::Stopped] {
            let wanted = Some((target, 2));
            assert_eq!(one(wanted, living(2)), end);
            assert_eq!(one(wanted, checked(2)), end);
            for quiet in [None, Some(Observed::Resting), Some(Observed::Ending)] {
                assert_eq!(one(wanted, quiet), []);
            }
        }
        assert_eq!(one(None, living(2)), end);
        assert_eq!(one(None, Some(Observed::Ending)), []);
        let forget = [Action::Forget("a".to_owned())];
        assert_eq!(one(None, Some(Observed::Resting)), forget);
        assert_eq!(one(None, failed(2, Due::Now)), forget);
    }

    #[test]
    fn other_limits_are_applied_to_what_runs() {
        let slower = Some(Observed::Living {
            generation: Generation(2),
            limits: Some([None, None]),
        });
        let limit = [Action::Limit("a".to_owned())];
        assert_eq!(one(Some((Target::Running, 2)), slower.clone()), limit);
        assert_eq!(
            one(Some((Target::Paused, 2)), slower),
            [Action::End("a".to_owned())]
        );
    }
}

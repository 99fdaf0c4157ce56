//! What goes wrong when: drawn from the seed alone, before anything runs.
//!
//! Workers, the brokers of each side, their networks and their leaders have troubles of their own, side by side. Within each of these a trouble ends before the
//! next one begins. When all have ended, everything is well again.

use std::{fmt, time::Duration};

use super::dice::Dice;
use crate::proxy::Network;

/// What a schedule is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub seed: u64,
    /// of the troubles; what was begun ends a few seconds later
    pub duration: Duration,
    /// worker processes, 2 and up
    pub workers: usize,
    /// brokers a cluster, 1 or 3
    pub brokers: i32,
}

/// In order of their times.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Since the traffic began. This clock stands still while a broker starts.
    pub at: Duration,
    pub action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Source,
    Target,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It takes over: one that runs already is ended (SIGTERM) before.
    Start(usize),
    /// SIGKILL.
    Kill(usize),
    /// SIGTERM.
    Stop(usize),
    /// SIGSTOP.
    Freeze(usize),
    /// SIGCONT.
    Thaw(usize),
    KillBroker(Side, i32),
    StopBroker(Side, i32),
    /// Its disk is full: no file can grow beyond so many bytes.
    FillDisk(Side, i32, u64),
    StartBroker(Side, i32),
    /// What the network before a cluster does from now on.
    Network(Side, Network),
    /// Each connection to a cluster is cut once.
    Cut(Side),
    /// Each partition's leader becomes another of its replicas.
    MoveLeaders(Side),
}

// === impl Schedule ===

impl Schedule {
    pub fn draw(setting: &Setting) -> Self {
        let mut events = Vec::new();
        workers(setting, &mut events);
        for side in [Side::Source, Side::Target] {
            brokers(setting, side, &mut events);
            network(setting, side, &mut events);
            if setting.brokers > 1 {
                leaders(setting, side, &mut events);
            }
        }
        // Stable: of what happens at the same time the order is as drawn.
        events.sort_by_key(|event| event.at);
        Self { events }
    }
}

/// The troubles of one kind, one after the other: `trouble` is given when it begins, and says when it is over.
fn troubles(
    setting: &Setting,
    dice: &mut Dice,
    rest: std::ops::Range<u64>,
    mut trouble: impl FnMut(&mut Dice, Duration) -> Duration,
) {
    let mut now = Duration::from_millis(dice.number(1000..rest.end));
    while now < setting.duration {
        now = trouble(dice, now);
        now += Duration::from_millis(dice.number(rest.clone()));
    }
}

fn workers(setting: &Setting, events: &mut Vec<Event>) {
    let mut dice = Dice::new(setting.seed, "workers");
    let mut owner = 0;
    events.push(Event::new(Duration::ZERO, Action::Start(owner)));
    troubles(setting, &mut dice, 1500..6000, |dice, now| {
        let next = dice.number(0..setting.workers as u64) as usize;
        let other = if next == owner {
            (owner + 1) % setting.workers
        } else {
            next
        };
        let mut then = now;
        let mut act = |pause: u64, action| {
            then += Duration::from_millis(pause);
            events.push(Event::new(then, action));
        };
        match dice.number(0..8) {
            // A crash; the same one or another one goes on.
            0 | 1 => {
                act(0, Action::Kill(owner));
                act(dice.number(0..1500), Action::Start(next));
                owner = next;
            }
            2 => {
                act(0, Action::Stop(owner));
                act(dice.number(0..1000), Action::Start(next));
                owner = next;
            }
            // It wakes up in a world that has gone on without it.
            3 | 4 => {
                act(0, Action::Freeze(owner));
                act(dice.number(0..2500), Action::Start(other));
                act(dice.number(500..6000), Action::Thaw(owner));
                act(dice.number(500..5000), Action::Kill(owner));
                owner = other;
            }
            5 => {
                act(0, Action::Freeze(owner));
                act(dice.number(500..9000), Action::Thaw(owner));
            }
            // Both want it.
            6 => {
                act(0, Action::Start(other));
                act(dice.number(1000..5000), Action::Kill(owner));
                owner = other;
            }
            _ => {
                act(0, Action::Kill(owner));
                act(dice.number(0..500), Action::Start(other));
                act(dice.number(0..300), Action::Start(owner));
                act(dice.number(1500..4000), Action::Kill(other));
            }
        }
        then
    });
}

fn brokers(setting: &Setting, side: Side, events: &mut Vec<Event>) {
    let mut dice = Dice::new(setting.seed, &format!("brokers of the {side}"));
    troubles(setting, &mut dice, 5000..15_000, |dice, now| {
        let node = 1 + dice.number(0..u64::from(setting.brokers.unsigned_abs())) as i32;
        let action = match dice.number(0..8) {
            0..4 => Action::KillBroker(side, node),
            4..6 => Action::StopBroker(side, node),
            _ => Action::FillDisk(side, node, dice.number(5000..100_000)),
        };
        let until = now + Duration::from_millis(dice.number(300..5000));
        events.push(Event::new(now, action));
        events.push(Event::new(until, Action::StartBroker(side, node)));
        until
    });
}

fn network(setting: &Setting, side: Side, events: &mut Vec<Event>) {
    let mut dice = Dice::new(setting.seed, &format!("network of the {side}"));
    troubles(setting, &mut dice, 2000..9000, |dice, now| {
        let well = Network::default();
        let (network, longest) = match dice.number(0..8) {
            0..3 => {
                events.push(Event::new(now, Action::Cut(side)));
                return now;
            }
            3 => (well.delayed(Duration::from_millis(dice.number(20..400))), 5000),
            4 => (well.limited(dice.number(100..600) as u32 * 1000), 5000),
            5 => (well.silent(), 9000),
            6 => (well.cut(), 4000),
            _ => (well.cut_after(dice.number(2..60) * 1000), 5000),
        };
        let until = now + Duration::from_millis(dice.number(400..longest));
        events.push(Event::new(now, Action::Network(side, network)));
        events.push(Event::new(until, Action::Network(side, well)));
        until
    });
}

fn leaders(setting: &Setting, side: Side, events: &mut Vec<Event>) {
    let mut dice = Dice::new(setting.seed, &format!("leaders of the {side}"));
    troubles(setting, &mut dice, 5000..15_000, |_, now| {
        events.push(Event::new(now, Action::MoveLeaders(side)));
        now
    });
}

// === impl Event ===

impl Event {
    fn new(at: Duration, action: Action) -> Self {
        Self { at, action }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7.2} s  {}", self.at.as_secs_f64(), self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(worker) => write!(f, "start worker {worker}: it takes over"),
            Self::Kill(worker) => write!(f, "kill -9 worker {worker}"),
            Self::Stop(worker) => write!(f, "stop worker {worker}"),
            Self::Freeze(worker) => write!(f, "freeze worker {worker} (SIGSTOP)"),
            Self::Thaw(worker) => write!(f, "thaw worker {worker} (SIGCONT)"),
            Self::KillBroker(side, node) => write!(f, "kill -9 broker {node} of the {side}"),
            Self::StopBroker(side, node) => write!(f, "stop broker {node} of the {side}"),
            Self::FillDisk(side, node, bytes) => {
                write!(
                    f,
                    "fill the disk of broker {node} of the {side}: no file grows beyond {bytes} bytes"
                )
            }
            Self::StartBroker(side, node) => write!(f, "start broker {node} of the {side}"),
            Self::Network(side, network) if *network == Network::default() => {
                write!(f, "network to the {side}: well")
            }
            Self::Network(side, network) => write!(f, "network to the {side}: {network}"),
            Self::Cut(side) => write!(f, "cut each connection to the {side}"),
            Self::MoveLeaders(side) => write!(f, "move every leader of the {side}"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn setting(seed: u64, brokers: i32) -> Setting {
        Setting {
            seed,
            duration: Duration::from_secs(60),
            workers: 3,
            brokers,
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_schedule_and_another_one_another() {
        let drawn = |seed| Schedule::draw(&setting(seed, 3));
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        // Printed, so that a change of the drawing is seen: reports name seeds.
        assert_eq!(
            Schedule::draw(&setting(7, 1)).events[1].to_string(),
            "   2.86 s  stop broker 1 of the target"
        );
    }

    #[test]
    fn whatever_is_broken_is_mended_and_one_worker_runs_at_the_end() {
        for seed in 0..200 {
            let schedule = Schedule::draw(&setting(seed, 3));
            assert!(schedule.events.is_sorted_by_key(|event| event.at));
            let (mut down, mut network) = (HashSet::new(), HashMap::new());
            let (mut running, mut frozen) = (HashSet::new(), HashSet::new());
            for event in &schedule.events {
                match &event.action {
                    Action::KillBroker(side, node)
                    | Action::StopBroker(side, node)
                    | Action::FillDisk(side, node, _) => assert!(down.insert((*side, *node)), "{event}"),
                    Action::StartBroker(side, node) => assert!(down.remove(&(*side, *node)), "{event}"),
                    Action::Network(side, state) => drop(network.insert(*side, *state)),
                    Action::Start(worker) => drop(running.insert(*worker)),
                    Action::Kill(worker) | Action::Stop(worker) => {
                        assert!(running.remove(worker) && !frozen.contains(worker), "{event}");
                    }
                    Action::Freeze(worker) => assert!(running.contains(worker) && frozen.insert(*worker)),
                    Action::Thaw(worker) => assert!(frozen.remove(worker), "{event}"),
                    Action::Cut(_) | Action::MoveLeaders(_) => {}
                }
            }
            assert!(
                down.is_empty() && frozen.is_empty() && running.len() == 1,
                "seed {seed}"
            );
            assert!(network.values().all(|state| *state == Network::default()));
        }
    }

    #[test]
    fn each_kind_of_trouble_occurs() {
        let kinds: HashSet<_> = (0..10)
            .flat_map(|seed| Schedule::draw(&setting(seed, 3)).events)
            .map(|event| match event.action {
                Action::Network(_, network) => {
                    let (slow, cut) = (network.bytes_per_second.is_some(), network.cut_after.is_some());
                    format!("{:?} {slow} {cut} {}", network.state, !network.delay.is_zero())
                }
                action => format!("{action:?}")
                    .split('(')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            })
            .collect();
        assert_eq!(kinds.len(), 11 + 6, "{kinds:?}");
    }
}

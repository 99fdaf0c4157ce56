//! The run itself: traffic, groups, and the schedule's events one after the other.

use std::{
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    crew::Crew,
    dice::Dice,
    groups,
    log::{Deviation, Offsets},
    schedule::{Action, Event, Schedule, Setting, Side},
    stage::Stage,
    traffic::{Topic, Traffic},
    watch::Watch,
};
use crate::{
    admin::Admin, generate::rest_cleaner, kafka::Kafka, plugins, proxy::Network, towpath::Connector, wait,
};

/// Everything of a run but the clusters.
pub(super) struct Performance {
    pub setting: Setting,
    pub schedule: Schedule,
    pub names: Names,
    pub topics: Vec<Topic>,
    pub crew: Crew,
    pub watch: Watch,
    pub traffic: Traffic,
    pub started: Instant,
    /// what was done, when it was
    pub done: Vec<(Duration, String)>,
    /// how long the schedule's clock stood still
    held: Duration,
    /// until when what was done may keep a worker from starting
    disturbed_until: Duration,
}

/// What a run's things are called: several runs may share clusters.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub prefix: String,
    pub positions: String,
}

/// Longer than any trouble of the network: where offsets are preserved, what comes later than that may be there twice if it is old.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);
const TICK: Duration = Duration::from_millis(100);
/// A worker that starts gives up on a cluster within this time.
const DISTURBANCE: Duration = Duration::from_secs(60);
const GROUPS: [&str; 2] = ["reading-a", "reading-b"];

// === impl Names ===

impl Names {
    fn of(setting: &Setting) -> Self {
        let prefix = format!("chaos-{}", setting.seed);
        Self {
            positions: format!("{prefix}-positions"),
            prefix,
        }
    }

    pub(super) fn connector(&self, offsets: Offsets) -> String {
        match offsets {
            Offsets::Preserved => format!("{}-preserve", self.prefix),
            Offsets::Translated => format!("{}-translate", self.prefix),
        }
    }

    /// A topic of the source, as it is called on the target.
    pub(super) fn on_target(topic: &str, offsets: Offsets) -> String {
        match offsets {
            Offsets::Preserved => topic.to_owned(),
            Offsets::Translated => format!("copy.{topic}"),
        }
    }

    pub(super) fn group(&self, name: &str) -> String {
        format!("{}-group-{name}", self.prefix)
    }

    /// Those that read all the time.
    pub(super) fn reading(&self) -> [String; 2] {
        GROUPS.map(|name| self.group(name))
    }
}

// === impl Performance ===

impl Performance {
    /// Topics with their first records, and workers that do not run yet.
    pub(super) fn prepare(stage: &Stage, setting: &Setting) -> Result<Self> {
        let names = Names::of(setting);
        let topics = Topic::all(&names.prefix);
        for topic in &topics {
            topic.create(stage, setting.seed)?;
        }
        // Until the source's brokers have noted where logs begin.
        wait::pause(Duration::from_secs(1));
        let crew = Crew::new(
            setting.workers,
            &[
                ("bootstrap.servers", &stage.via(Side::Target)?),
                ("offset.storage.topic", &names.positions),
                ("request.timeout.ms", &REQUEST_TIMEOUT.as_millis().to_string()),
                ("plugin.path", plugins::folder()?.to_str().unwrap_or_default()),
            ],
            &connectors(&names, &stage.via(Side::Source)?),
        )?;
        Ok(Self {
            setting: *setting,
            schedule: Schedule::draw(setting),
            names,
            topics,
            crew,
            watch: Watch::default(),
            traffic: Traffic::default(),
            started: Instant::now(),
            done: Vec::new(),
            held: Duration::ZERO,
            disturbed_until: Duration::ZERO,
        })
    }

    /// Plays the schedule while there is traffic, and heals everything before it ends.
    pub(super) fn run(&mut self, stage: &mut Stage) -> Result<()> {
        let source = stage.bootstrap(Side::Source);
        self.started = Instant::now();
        let stop = AtomicBool::new(false);
        let (topics, names) = (self.topics.clone(), self.names.clone());
        let (traffic, seed) = (std::mem::take(&mut self.traffic), self.setting.seed);
        let (leaders, moves) = mpsc::channel::<Side>();
        let movers = [Side::Source, Side::Target].map(|side| stage.bootstrap(side));
        let played = thread::scope(|scope| {
            let (traffic, source, stop, names, topics) = (&traffic, &source, &stop, &names, &topics);
            for topic in topics {
                let started = self.started;
                scope.spawn(move || traffic.write(topic, source, seed, started, stop));
            }
            for (number, group) in (0..).zip(names.reading()) {
                // The first reads what is plain, the second what is not.
                let read = topics.iter().skip(number * 2).take(2 + number);
                let read: Vec<&str> = read.map(|topic| topic.name.as_str()).collect();
                for member in 0..groups::MEMBERS {
                    let (group, read) = (group.clone(), read.clone());
                    let mut dice = Dice::new(seed, &format!("{group} {member}"));
                    scope.spawn(move || groups::read_and_commit(source, &group, &read, &mut dice, stop));
                }
            }
            scope.spawn(move || {
                let mut dice = Dice::new(seed, "new leaders");
                for side in moves {
                    let bootstrap = &movers[usize::from(side == Side::Target)];
                    // A broker that is away leads nothing; the next one is moved again.
                    let _ = move_leaders(bootstrap, side, topics, &mut dice);
                }
            });
            let played = self.play(stage, &leaders);
            drop(leaders);
            let healed = played.and_then(|()| {
                self.note("healing everything".to_owned());
                stage.heal()?;
                self.crew.settle()
            });
            stop.store(true, Ordering::Relaxed);
            healed
        });
        self.traffic = traffic;
        played?;
        self.note("the traffic has ended".to_owned());
        for topic in self.topics.iter().filter(|topic| topic.is_compacted()) {
            rest_cleaner(&stage.admin(Side::Source)?, &source, &topic.name)?;
        }
        Ok(())
    }

    fn play(&mut self, stage: &mut Stage, leaders: &mpsc::Sender<Side>) -> Result<()> {
        for event in self.schedule.events.clone() {
            while self.clock() < event.at {
                self.look()?;
                wait::pause(TICK);
            }
            self.note(event.action.to_string());
            self.act(stage, &event, leaders)?;
        }
        while self.clock() < self.setting.duration {
            self.look()?;
            wait::pause(TICK);
        }
        Ok(())
    }

    fn act(&mut self, stage: &mut Stage, event: &Event, leaders: &mpsc::Sender<Side>) -> Result<()> {
        // A worker may have ended by itself a moment ago, and be back before it is dealt with.
        self.look()?;
        match &event.action {
            Action::Start(worker) => self.crew.take_over(*worker)?,
            Action::Kill(worker) => self.crew.kill(*worker)?,
            Action::Stop(worker) => {
                if let Err(error) = self.crew.stop(*worker) {
                    let what = format!("worker {worker} did not stop in peace: {error:#}");
                    self.failed(what);
                }
            }
            Action::Freeze(worker) => self.crew.freeze(*worker)?,
            Action::Thaw(worker) => self.crew.thaw(*worker)?,
            Action::KillBroker(side, node) => stage.broker(*side, *node)?.kill()?,
            Action::StopBroker(side, node) => stage.broker(*side, *node)?.stop()?,
            Action::FillDisk(side, node, room) => stage.broker(*side, *node)?.fill_disk(*room)?,
            Action::StartBroker(side, node) => {
                let ended = match stage.broker(*side, *node)?.process() {
                    Ok(process) => Some(process.ended()?.is_some()),
                    Err(_) => None,
                };
                match ended {
                    Some(true) => self.note(format!("(broker {node} of the {side} had ended itself)")),
                    Some(false) => self.note(format!("(broker {node} of the {side} had not noticed)")),
                    None => {}
                }
                stage.start_broker(*side, *node)?;
                self.wait_for_broker(stage, *side, *node)?;
            }
            Action::Network(side, network) => stage.set_network(*side, *network),
            Action::Cut(side) => stage.cut(*side),
            // The thread is there until the sender is dropped.
            Action::MoveLeaders(side) => drop(leaders.send(*side)),
        }
        let is_disturbance = match &event.action {
            Action::Network(_, network) => *network != Network::default(),
            Action::KillBroker(..)
            | Action::StopBroker(..)
            | Action::FillDisk(..)
            | Action::StartBroker(..)
            | Action::Cut(_)
            | Action::MoveLeaders(_) => true,
            _ => false,
        };
        if is_disturbance {
            self.disturbed_until = self.started.elapsed() + DISTURBANCE;
        }
        Ok(())
    }

    /// The schedule's time: it stands still while a broker starts, which takes as long as the machine needs.
    fn clock(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.held)
    }

    fn wait_for_broker(&mut self, stage: &mut Stage, side: Side, node: i32) -> Result<()> {
        let began = Instant::now();
        let broker = stage.broker(side, node)?;
        let ready = thread::scope(|scope| {
            let ready = scope.spawn(|| broker.wait_until_ready());
            while !ready.is_finished() {
                self.look()?;
                wait::pause(TICK);
            }
            ready.join().expect("waiting does not panic")
        });
        self.held += began.elapsed();
        ready
    }

    /// Looks at the workers.
    pub(super) fn look(&mut self) -> Result<()> {
        let now = self.started.elapsed();
        self.watch.look(&mut self.crew, now, now < self.disturbed_until)
    }

    /// Puts it into the report, and shows it.
    pub(super) fn note(&mut self, what: String) {
        let now = self.started.elapsed();
        println!("{:7.2} s  {what}", now.as_secs_f64());
        self.done.push((now, what));
    }

    pub(super) fn failed(&mut self, what: String) {
        println!("DEVIATION  {what}");
        self.watch.deviations.push(Deviation {
            what,
            at: Some(self.started.elapsed()),
        });
    }

    /// Producers that failed.
    pub(super) fn producer_failures(&self) -> Vec<String> {
        let failures = self.traffic.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn connectors(names: &Names, source: &str) -> [Connector; 3] {
    let mirror = |offsets| {
        Connector::mirror(&names.connector(offsets), source)
            .set("topics", &format!("{}-.*", names.prefix))
            .set("exactly.once.support", "required")
            .set("tasks.max", "2")
    };
    [
        mirror(Offsets::Preserved).set("offsets.mode", "preserve"),
        mirror(Offsets::Translated)
            .set("offsets.mode", "translate")
            .set("transforms", "copy")
            .set("transforms.copy.type", "route-by-regex")
            .set("transforms.copy.regex", "(.*)")
            .set("transforms.copy.replacement", "copy.$1")
            .set("transforms.copy.reverse.regex", r"copy\.(.*)")
            .set("transforms.copy.reverse.replacement", "$1"),
        Connector::checkpoint(&format!("{}-groups", names.prefix), source)
            .set("groups", &names.group(".*"))
            .set("sync.group.offsets.interval.seconds", "1"),
    ]
}

/// Each partition of the run's topics that are there gets another leader, of those in sync.
fn move_leaders(bootstrap: &str, side: Side, topics: &[Topic], dice: &mut Dice) -> Result<()> {
    let kafka = Kafka::fetch()?;
    let admin = Admin::new(&kafka, bootstrap, -1)?;
    for topic in topics {
        let on_target =
            [Offsets::Preserved, Offsets::Translated].map(|offsets| Names::on_target(&topic.name, offsets));
        let names = match side {
            Side::Source => vec![topic.name.clone()],
            Side::Target => on_target.to_vec(),
        };
        for name in names {
            for partition in 0..topic.partitions {
                let replicas = admin.in_sync(&name)?;
                let replicas = replicas
                    .get(usize::try_from(partition)?)
                    .map_or(&[][..], Vec::as_slice);
                if !replicas.is_empty() {
                    let _ = admin.move_leader(&name, partition, dice.of(replicas));
                }
            }
        }
    }
    Ok(())
}

//! The keys of a `MirrorSource` connector. Those of plugins and of `security` are elsewhere.

use towpath_domain::config::{Definition, Key, Presence, Shape};

/// Limits, which are changed without a restart.
pub const SOURCE_LIMIT: &str = "source.max.bytes.per.second";
pub const TARGET_LIMIT: &str = "target.max.bytes.per.second";

pub(super) const AUTO_OFFSET_RESET: &str = "source.consumer.auto.offset.reset";
pub(crate) const START: &str = "mirror.start.offset.spec";
pub(super) const EXACTLY_ONCE: &str = "exactly.once.support";
pub(super) const GUARANTEE: &str = "delivery.guarantee";
pub(super) const OFFSETS: &str = "offsets.mode";
pub(super) const SUBJECTS: &str = "schema.subjects";
pub(super) const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

/// What `connector.class` may be.
pub(super) const CLASSES: &[&str] = &["MirrorSource", "MirrorCheckpoint"];

/// Those that connectors of every class have.
pub(super) const NAME: Key = Key {
    name: "name",
    shape: Shape::Text,
    presence: Presence::Optional,
    documentation: "the connector's name, the same as beside `config`",
};
pub(super) const SOURCE_DNS: Key = Key {
    name: "source.cluster.client.dns.lookup",
    shape: Shape::OneOf(&["use_all_dns_ips"]),
    presence: Presence::Default("use_all_dns_ips"),
    documentation: "use_all_dns_ips: all addresses of a name are tried, and it is resolved anew for each connection",
};
pub(super) const TARGET_DNS: Key = Key {
    name: "target.cluster.client.dns.lookup",
    shape: Shape::OneOf(&["use_all_dns_ips"]),
    presence: Presence::Default("use_all_dns_ips"),
    documentation: "use_all_dns_ips: all addresses of a name are tried, and it is resolved anew for each connection",
};

/// Every key of a `MirrorSource` connector besides those of plugins (`transforms.*` and the like).
pub const DEFINITION: Definition = Definition {
    keys: &[
        NAME,
        Key {
            name: "connector.class",
            shape: Shape::OneOf(CLASSES),
            presence: Presence::Required,
            documentation: "the kind of connector; here MirrorSource",
        },
        Key {
            name: "tasks.max",
            shape: Shape::Int { min: 1, max: 1000 },
            presence: Presence::Default("1"),
            documentation: "most tasks that the partitions are divided among; one task is one core's work",
        },
        Key {
            name: "source.cluster.bootstrap.servers",
            shape: Shape::Servers,
            presence: Presence::Required,
            documentation: "brokers of the cluster to read from, host:port",
        },
        SOURCE_DNS,
        Key {
            name: "target.cluster.bootstrap.servers",
            shape: Shape::Servers,
            presence: Presence::Optional,
            documentation: "brokers of the cluster to write to, host:port; the worker's bootstrap.servers when missing",
        },
        TARGET_DNS,
        Key {
            name: "topics",
            shape: Shape::List,
            presence: Presence::Required,
            documentation: "topics to mirror: regular expressions that match whole names, separated by commas",
        },
        Key {
            name: "topics.exclude",
            shape: Shape::List,
            presence: Presence::Default(r".*[\-\.]internal,.*\.replica,__.*"),
            documentation: "topics to leave out even when `topics` matches them",
        },
        Key {
            name: "refresh.topics.interval.seconds",
            shape: Shape::Int { min: 1, max: 86_400 },
            presence: Presence::Default("30"),
            documentation: "how often new topics and partitions are looked for, s; they are mirrored from their first record",
        },
        Key {
            name: "replication.factor",
            shape: Shape::Int { min: -1, max: 32_767 },
            presence: Presence::Default("-1"),
            documentation: "replicas of topics created on the target; -1: the target's default.replication.factor",
        },
        Key {
            name: AUTO_OFFSET_RESET,
            shape: Shape::OneOf(&["earliest", "latest"]),
            presence: Presence::Default("earliest"),
            documentation: "where a partition without a stored position starts; topics and partitions that appear later start at their first record",
        },
        Key {
            name: START,
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "where partitions of some topics start instead, as topic=start: the topic a regular expression that matches whole names, the first that matches counts; the start earliest, latest, a time with its zone (2026-11-28T03:00:00Z: the first record with that timestamp or a later one), or offset:N (in every partition of the topic). It counts for topics of which no position is stored; latest only when the connector runs for the first time",
        },
        Key {
            name: EXACTLY_ONCE,
            shape: Shape::OneOf(&["requested", "required"]),
            presence: Presence::Default("requested"),
            documentation: "requested: each record is written exactly once where the target's brokers and the permissions on it allow that, else at least once, and the status says why; required: the connector fails where it cannot be exactly once",
        },
        Key {
            name: GUARANTEE,
            shape: Shape::OneOf(&["exactly-once", "at-least-once"]),
            presence: Presence::Default("exactly-once"),
            documentation: "at-least-once: records may be doubled after a kill, and others may write to the target topics. exactly-once: as exactly.once.support says; nobody else may write to the target topics, and the client needs Read on them, and Write and Describe on the transactional ids that begin with the name of offset.storage.topic",
        },
        Key {
            name: OFFSETS,
            shape: Shape::OneOf(&["auto", "translate", "preserve"]),
            presence: Presence::Default("auto"),
            documentation: "auto: preserve for each topic where that is possible and cheap, translate for the others; status says which, and why. translate: records get the next offset of the target, and a map says which source offset is where. preserve: they have the same offset on both clusters. The offsets before the first record are filled and deleted, offsets without a record are taken by the markers of empty transactions, the log's start follows the source's; target topics begin empty, or with the source's records at their offsets (the way back), are created with retention off and get the source's when they are filled, and the client needs Delete and AlterConfigs on them",
        },
        Key {
            name: "source.consumer.isolation.level",
            shape: Shape::OneOf(&["read_committed", "read_uncommitted"]),
            presence: Presence::Default("read_committed"),
            documentation: "read_committed: aborted records are left out, and nothing is mirrored past an open transaction",
        },
        Key {
            name: "source.consumer.fetch.max.bytes",
            shape: Shape::Int {
                min: 1024,
                max: 104_857_600,
            },
            presence: Presence::Default("4194304"),
            documentation: "most bytes of one fetch answer; a larger first batch still comes whole",
        },
        Key {
            name: "source.consumer.max.partition.fetch.bytes",
            shape: Shape::Int {
                min: 1024,
                max: 104_857_600,
            },
            presence: Presence::Default("1048576"),
            documentation: "most bytes of one partition in a fetch answer; a larger first batch still comes whole",
        },
        Key {
            name: "source.consumer.fetch.max.wait.ms",
            shape: Shape::Int { min: 1, max: 10_000 },
            presence: Presence::Default("500"),
            documentation: "how long the source holds a fetch back while there is nothing to read, ms",
        },
        Key {
            name: "source.consumer.client.rack",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "the rack this worker is in (the brokers' broker.rack): partitions are read from a replica in it, where the source's replica.selector.class provides for that",
        },
        Key {
            name: "source.consumer.metadata.max.age.ms",
            shape: Shape::Int {
                min: 1000,
                max: 86_400_000,
            },
            presence: Presence::Default("300000"),
            documentation: "after how long leaders are looked up again though nothing seems to have changed, and a replica that is read instead of the leader is chosen anew, ms",
        },
        Key {
            name: "target.producer.metadata.max.age.ms",
            shape: Shape::Int {
                min: 1000,
                max: 86_400_000,
            },
            presence: Presence::Default("300000"),
            documentation: "after how long leaders are looked up again though nothing seems to have changed, ms",
        },
        Key {
            name: "target.producer.buffer.memory",
            shape: Shape::Int {
                min: 1_048_576,
                max: 17_179_869_184,
            },
            presence: Presence::Default("12582912"),
            documentation: "bytes of a task between fetch and acknowledgement; a batch above it is admitted alone",
        },
        Key {
            name: SOURCE_LIMIT,
            shape: Shape::Int {
                min: 0,
                max: 1_000_000_000_000,
            },
            presence: Presence::Default("0"),
            documentation: "most bytes a second that the connector reads, all tasks together, as compressed as they are; 0: no limit. A file in which only this changes is applied without a restart",
        },
        Key {
            name: TARGET_LIMIT,
            shape: Shape::Int {
                min: 0,
                max: 1_000_000_000_000,
            },
            presence: Presence::Default("0"),
            documentation: "most bytes a second that the connector writes, all tasks together; 0: no limit. A file in which only this changes is applied without a restart",
        },
        Key {
            name: "plugin.instances",
            shape: Shape::Int { min: 1, max: 1024 },
            presence: Presence::Optional,
            documentation: "instances of the plugins per task, working on different partitions; cores divided by tasks when missing",
        },
        Key {
            name: "transforms",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "aliases of transformations and routers, in order; each has transforms.<alias>.type",
        },
        Key {
            name: "predicates",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "aliases of predicates, which transformations name; each has predicates.<alias>.type",
        },
        Key {
            name: "validators",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "aliases of validators, in order, asked after the transformations about each record and what is to be written for it; each has validators.<alias>.type",
        },
        Key {
            name: "schema.checkers",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "aliases of schema checkers, asked about the subjects of the mirrored topics; each has schema.checkers.<alias>.type. Both clusters need schema.registry.url",
        },
        Key {
            name: "acl.checkers",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "aliases of ACL checkers, asked about the target's ACLs for the mirrored topics; each has acl.checkers.<alias>.type. Needs Describe on both clusters",
        },
        Key {
            name: "checkers.interval.seconds",
            shape: Shape::Int { min: 1, max: 86_400 },
            presence: Presence::Default("600"),
            documentation: "how often the checkers are asked again, s; a check that could not be made is tried again after 10 s at most",
        },
        Key {
            name: SUBJECTS,
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "subjects of the source that the schema checkers are asked about, beside <topic>-key and <topic>-value of the mirrored topics: regular expressions that match whole names",
        },
        Key {
            name: "errors.tolerance",
            shape: Shape::OneOf(&["none", "all"]),
            presence: Presence::Default("none"),
            documentation: "none: a record that a plugin rejects, fails on or breaks on stops its partition; all: it is not written, and goes to the dead letter queue when there is one",
        },
        Key {
            name: "errors.retry.timeout",
            shape: Shape::Int {
                min: -1,
                max: 86_400_000,
            },
            presence: Presence::Default("0"),
            documentation: "how long a call is made again that a plugin calls retriable, ms; 0: not at all; -1: until it succeeds",
        },
        Key {
            name: "errors.retry.delay.max.ms",
            shape: Shape::Int {
                min: 1,
                max: 3_600_000,
            },
            presence: Presence::Default("60000"),
            documentation: "longest pause between such calls, ms; the first is 300, and each doubles the one before",
        },
        Key {
            name: "errors.log.enable",
            shape: Shape::OneOf(&["true", "false"]),
            presence: Presence::Default("false"),
            documentation: "true: every record that is not written is logged with its coordinates and the reason, never with its content",
        },
        Key {
            name: DEAD_LETTERS,
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "the topic of the target cluster for records that are not written; created with one partition when missing",
        },
        Key {
            name: "errors.deadletterqueue.topic.replication.factor",
            shape: Shape::Int { min: -1, max: 32_767 },
            presence: Presence::Default("-1"),
            documentation: "replicas of a dead letter queue that is created; -1: the target's default.replication.factor (Connect's default is 3)",
        },
        Key {
            name: "errors.deadletterqueue.context.headers.enable",
            shape: Shape::OneOf(&["true", "false"]),
            presence: Presence::Default("true"),
            documentation: "true: dead letters have headers __connect.errors.* that say where they come from and why (Connect's default is false)",
        },
    ],
};

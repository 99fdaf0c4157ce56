use super::{
    Definition,
    Kind::{Boolean, Double, Int, List, Long, String},
};

const MAX: &str = "9223372036854775807";
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// Every key of a topic, by name.
pub(crate) const TOPIC: &[Definition] = &[
    Definition::new("cleanup.policy", List, "delete")
        .broker("log.cleanup.policy")
        .one_of(&["compact", "delete"]),
    Definition::new("compression.gzip.level", Int, "-1").broker("compression.gzip.level"),
    Definition::new("compression.lz4.level", Int, "9").broker("compression.lz4.level"),
    Definition::new("compression.type", String, "producer")
        .broker("compression.type")
        .one_of(CODECS),
    Definition::new("compression.zstd.level", Int, "3").broker("compression.zstd.level"),
    Definition::new("delete.retention.ms", Long, "86400000")
        .broker("log.cleaner.delete.retention.ms")
        .at_least(0),
    Definition::new("file.delete.delay.ms", Long, "60000")
        .broker("log.segment.delete.delay.ms")
        .at_least(0),
    Definition::new("flush.messages", Long, MAX)
        .broker("log.flush.interval.messages")
        .at_least(1),
    Definition::new("flush.ms", Long, MAX)
        .broker("log.flush.interval.ms")
        .at_least(0),
    Definition::new("follower.replication.throttled.replicas", List, ""),
    Definition::new("index.interval.bytes", Int, "4096")
        .broker("log.index.interval.bytes")
        .at_least(0),
    Definition::new("leader.replication.throttled.replicas", List, ""),
    Definition::new("local.retention.bytes", Long, "-2")
        .broker("log.local.retention.bytes")
        .at_least(-2),
    Definition::new("local.retention.ms", Long, "-2")
        .broker("log.local.retention.ms")
        .at_least(-2),
    Definition::new("max.compaction.lag.ms", Long, MAX)
        .broker("log.cleaner.max.compaction.lag.ms")
        .at_least(1),
    Definition::new("max.message.bytes", Int, "1048588")
        .broker("message.max.bytes")
        .at_least(0),
    Definition::new("message.timestamp.after.max.ms", Long, "3600000")
        .broker("log.message.timestamp.after.max.ms")
        .at_least(0),
    Definition::new("message.timestamp.before.max.ms", Long, MAX)
        .broker("log.message.timestamp.before.max.ms")
        .at_least(0),
    Definition::new("message.timestamp.type", String, "CreateTime")
        .broker("log.message.timestamp.type")
        .one_of(&["CreateTime", "LogAppendTime"]),
    Definition::new("min.cleanable.dirty.ratio", Double, "0.5").broker("log.cleaner.min.cleanable.ratio"),
    Definition::new("min.compaction.lag.ms", Long, "0")
        .broker("log.cleaner.min.compaction.lag.ms")
        .at_least(0),
    Definition::new("min.insync.replicas", Int, "1")
        .broker("min.insync.replicas")
        .at_least(1),
    Definition::new("preallocate", Boolean, "false").broker("log.preallocate"),
    Definition::new("remote.log.copy.disable", Boolean, "false"),
    Definition::new("remote.log.delete.on.disable", Boolean, "false"),
    Definition::new("remote.storage.enable", Boolean, "false"),
    Definition::new("retention.bytes", Long, "-1").broker("log.retention.bytes"),
    Definition::new("retention.ms", Long, "604800000")
        .broker("log.retention.ms")
        .at_least(-1),
    Definition::new("segment.bytes", Int, "1073741824")
        .broker("log.segment.bytes")
        .at_least(1024 * 1024),
    Definition::new("segment.index.bytes", Int, "10485760")
        .broker("log.index.size.max.bytes")
        .at_least(4),
    Definition::new("segment.jitter.ms", Long, "0")
        .broker("log.roll.jitter.ms")
        .at_least(0),
    Definition::new("segment.ms", Long, "604800000")
        .broker("log.roll.ms")
        .at_least(1),
    Definition::new("unclean.leader.election.enable", Boolean, "false")
        .broker("unclean.leader.election.enable"),
];

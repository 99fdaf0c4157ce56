//! Why the cluster, as its owner calls it, cannot do something. What a client is told is an [`ErrorCode`](crate::ErrorCode).

use crate::ErrorCode;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot listen on 127.0.0.1:{port} for broker {broker}: {source}")]
    Listen {
        broker: i32,
        port: u16,
        source: std::io::Error,
    },

    #[error("there is no broker {broker}; brokers are {known:?}")]
    NoBroker { broker: i32, known: Vec<i32> },

    #[error("broker {broker} is {is}")]
    BrokerState { broker: i32, is: &'static str },

    #[error("there is no partition {topic}-{partition}")]
    NoPartition { topic: String, partition: i32 },

    #[error("broker {broker} has no replica of {topic}-{partition}; replicas are {replicas:?}")]
    NoReplica {
        topic: String,
        partition: i32,
        broker: i32,
        replicas: Vec<i32>,
    },

    #[error("topic {topic}: {message} ({code})")]
    Topic {
        topic: String,
        code: ErrorCode,
        message: String,
    },
}

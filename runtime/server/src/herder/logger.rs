//! Loggers and their levels (KIP-495, KIP-976).

use serde::Serialize;
use utoipa::ToSchema;

/// A logger's level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LoggerLevel)]
pub struct Logger {
    pub level: Level,
    /// milliseconds since 1970; none when it is as it was configured
    #[schema(required)]
    pub last_modified: Option<i64>,
}

/// What is logged, from nothing to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Whose loggers are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Scope {
    /// of this worker, until it ends
    Worker,
    /// of all workers of the group
    Cluster,
}

// === impl Level ===

impl Level {
    /// Log4j's names, in any case. What it has and we have not is the nearest that shows no less.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "OFF" => Self::Off,
            "FATAL" | "ERROR" => Self::Error,
            "WARN" => Self::Warn,
            "INFO" => Self::Info,
            "DEBUG" => Self::Debug,
            "TRACE" | "ALL" => Self::Trace,
            _ => return None,
        })
    }
}

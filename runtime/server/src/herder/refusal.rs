//! Why a worker does not do what it is asked.

use towpath_domain::config::Problem;

/// Its text is what the user reads, in Connect's words where clients match on them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Connector {0} not found")]
    UnknownConnector(String),
    #[error("Unknown task: {connector}-{task}")]
    UnknownTask { connector: String, task: u32 },
    #[error("Unknown plugin {0}.")]
    UnknownPlugin(String),
    #[error("Logger {0} not found.")]
    UnknownLogger(String),
    #[error("Connector {0} already exists")]
    AlreadyExists(String),
    /// All mistakes of a configuration.
    #[error("{}", invalid(.0))]
    Invalid(Vec<Problem>),
    #[error(
        "Connectors must be in the STOPPED state before their offsets can be modified. \
         This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/{0}/stop' endpoint"
    )]
    NotStopped(String),
    /// Not now, because something else is under way; the same request may be taken in a moment.
    #[error("Cannot complete request because of a conflicting operation: {0}")]
    Conflict(String),
    /// What was asked for makes no sense: the sentence says what, and what to write instead.
    #[error("{0}")]
    BadRequest(String),
    /// The worker's configuration does not allow it: the sentence names the key.
    #[error("{0}")]
    Disabled(String),
    /// The worker cannot do it now: it starts, it stops, or a cluster cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// It may still be done. The sentence says what was waited for.
    #[error("Request timed out. {0}")]
    TimedOut(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

fn invalid(problems: &[Problem]) -> String {
    let mut text = format!(
        "Connector configuration is invalid and contains the following {} error(s):",
        problems.len()
    );
    for problem in problems {
        text.push('\n');
        text.push_str(&problem.to_string());
    }
    text.push_str(
        "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_told_between_the_lines_that_clients_match_on() {
        let refusal = Refusal::Invalid(vec![
            Problem::new("a", Some("1"), "wrong", "write 2"),
            Problem::new("b", None, "missing", "add it"),
        ]);
        assert_eq!(
            refusal.to_string(),
            "Connector configuration is invalid and contains the following 2 error(s):\n\
             a = \"1\": wrong; write 2\n\
             b: missing; add it\n\
             You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
        );
    }
}

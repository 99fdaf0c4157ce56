//! How a command ends when it does not end well.

use std::process::ExitCode;

use towpath_domain::config::Problem;

/// Wrong input is told apart from what failed: scripts use the exit code.
pub(crate) enum Failure {
    /// exit code 2: each mistake in a sentence, behind the file it is in; nothing was changed
    Input(Vec<String>),
    /// exit code 1
    Failed(anyhow::Error),
}

// === impl Failure ===

impl Failure {
    pub(crate) fn input(place: impl std::fmt::Display, problems: &[Problem]) -> Self {
        Self::Input(
            problems
                .iter()
                .map(|problem| format!("{place}: {problem}"))
                .collect(),
        )
    }

    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Input(sentences) => {
                for sentence in sentences {
                    eprintln!("error: {sentence}");
                }
                ExitCode::from(2)
            }
            Self::Failed(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

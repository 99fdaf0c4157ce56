//! What differs, line by line.

use std::fmt;

use similar::TextDiff;

use crate::Outcome;

/// An outcome that is not the expected one. Displayed as a unified diff of what the files hold, `+` being what the plugin does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The case's name.
    pub case: String,
    pub expected: Outcome,
    pub actual: Outcome,
}

// === impl Mismatch ===

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}:", self.case)?;
        let (expected, actual) = (self.expected.text(), self.actual.text());
        let diff = TextDiff::from_lines(&expected, &actual);
        let actual = format!("what the plugin does ({})", self.actual.file());
        write!(
            f,
            "{}",
            diff.unified_diff()
                .context_radius(4)
                .header(self.expected.file(), &actual)
        )
    }
}

impl std::error::Error for Mismatch {}

//! The languages that plugins are written in: one file each, which says how a project begins and how it becomes a component.

use std::path::Path;

use include_dir::Dir;

use super::new::Project;
use crate::failure::Failure;

mod c;
mod javascript;
mod python;
mod rust;
mod sdk;

/// What `--lang` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Rust,
    C,
    #[value(name = "javascript")]
    JavaScript,
    Python,
}

/// What there is to do in each language.
pub(super) trait Toolchain {
    /// Files that say that a folder is a project in this language: one of them is enough.
    fn marks(&self) -> &'static [&'static str];

    /// The files of a new project: those in `common`, and those in the folder of its kind.
    fn template(&self) -> &'static Dir<'static>;

    /// What else stands between `{{` and `}}` in this language's templates, beside what [`Project`] gives.
    fn placeholders(&self, _project: &Project) -> Result<Vec<(&'static str, String)>, Failure> {
        Ok(Vec::new())
    }

    /// Files of the SDK that a project has a copy of, by their paths in it. They belong to this program, which writes them anew.
    fn sdk(&self) -> Vec<sdk::File> {
        Vec::new()
    }

    /// Makes the component of a project: its bytes. `work` is a folder in the project for what is made on the way; it exists, and may hold what
    /// an earlier build left. What the toolchain says goes to stderr.
    fn build(&self, project: &Path, work: &Path) -> Result<Vec<u8>, Failure>;
}

// === impl Language ===

impl Language {
    const ALL: [Self; 4] = [Self::Rust, Self::C, Self::JavaScript, Self::Python];

    pub(super) fn toolchain(self) -> &'static dyn Toolchain {
        match self {
            Self::Rust => &rust::Rust,
            Self::C => &c::C,
            Self::JavaScript => &javascript::JavaScript,
            Self::Python => &python::Python,
        }
    }

    /// The language of a project, by the files in it.
    pub(super) fn of(project: &Path) -> Result<Self, Failure> {
        let marked = |language: &Self| {
            let mut marks = language.toolchain().marks().iter();
            marks.any(|mark| project.join(mark).is_file())
        };
        Self::ALL.into_iter().find(marked).ok_or_else(|| {
            let marks = Self::ALL.map(|language| language.toolchain().marks().join(" or "));
            Failure::Input(vec![format!(
                "{} is no plugin's project: it has no {}; name its folder, or begin one with towpath plugin new",
                project.display(),
                marks.join(", ")
            )])
        })
    }
}

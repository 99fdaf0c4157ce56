//! A case in its folder.

use std::{
    fmt, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};

use crate::{
    Acls, Checked, Error, Errors, Input, Judged, Kind, Matched, Mismatch, Outcome, Routed, Subjects, Topics,
    Transformed,
    input::{PairsFile, RecordsFile},
    outcome::FailedFile,
};

/// A case as its folder has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// As in the file.
    pub config: Vec<(String, String)>,
    /// None only where the configuration is expected to be refused, or nothing is expected yet.
    pub input: Option<Input>,
    /// None: nothing is expected yet, which [`Case::bless`] changes.
    pub expected: Option<Outcome>,
    folder: PathBuf,
    kind: Kind,
}

/// Reads every case of a plugin, by name; all that is wrong with them at once.
pub fn read_all(folder: &Path, kind: Kind) -> Result<Vec<Case>, Errors> {
    let file_error = |error| {
        Errors(vec![Error::File {
            path: folder.to_owned(),
            error,
        }])
    };
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)
        .and_then(Iterator::collect)
        .map_err(file_error);
    let mut folders: Vec<PathBuf> = entries?.iter().map(fs::DirEntry::path).collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Errors(vec![Error::Empty(folder.to_owned())]));
    }
    let (mut cases, mut errors) = (Vec::new(), Vec::new());
    for folder in folders {
        match Case::read(&folder, kind) {
            Ok(case) => cases.push(case),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(cases)
    } else {
        Err(Errors(errors))
    }
}

// === impl Case ===

impl Case {
    /// Reads a case of a plugin of this kind.
    pub fn read(folder: &Path, kind: Kind) -> Result<Self, Error> {
        no_strays(folder)?;
        let path = folder.join("config.json");
        let config = read(&path)?.ok_or_else(|| missing(&path))?;
        let Config(config) = parse(&path, &config)?;
        let expected = expected(folder, kind)?;
        let path = folder.join("input.json");
        let input = read(&path)?.map(|text| input(&path, &text, kind)).transpose()?;
        if input.is_none()
            && expected
                .as_ref()
                .is_some_and(|outcome| !matches!(outcome, Outcome::Refused(_)))
        {
            return Err(Error::NoInput(path));
        }
        Ok(Self {
            name: folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            config,
            input,
            expected,
            folder: folder.to_owned(),
            kind,
        })
    }

    /// What the plugin is called with, of a case whose configuration was accepted.
    pub fn require_input(&self) -> Result<&Input, Error> {
        self.input
            .as_ref()
            .ok_or_else(|| Error::NoInput(self.folder.join("input.json")))
    }

    /// Fails where something is expected and this is not it.
    pub fn compare(&self, actual: &Outcome) -> Result<(), Box<Mismatch>> {
        match &self.expected {
            Some(expected) if expected != actual => Err(Box::new(Mismatch {
                case: self.name.clone(),
                expected: expected.clone(),
                actual: actual.clone(),
            })),
            _ => Ok(()),
        }
    }

    /// Fails where nothing is expected yet: such a case would pass whatever the plugin does.
    pub fn require_expected(&self) -> Result<(), Error> {
        match self.expected {
            Some(_) => Ok(()),
            None => Err(Error::NothingExpected(self.folder.clone())),
        }
    }

    /// Writes that this is what is expected from now on. A file that says so already, in whatever form, stays as it is. Says whether something was written.
    pub fn bless(&self, actual: &Outcome) -> Result<bool, Error> {
        if let Some(found) = actual.kind().filter(|_| !actual.is_of(self.kind)) {
            let path = self.folder.join(actual.file());
            return Err(Error::Kind {
                path,
                expected: self.kind,
                found,
            });
        }
        if self.expected.as_ref() == Some(actual) {
            return Ok(false);
        }
        if let Some(expected) = self
            .expected
            .as_ref()
            .filter(|expected| expected.file() != actual.file())
        {
            let path = self.folder.join(expected.file());
            fs::remove_file(&path).map_err(|error| Error::File { path, error })?;
        }
        let path = self.folder.join(actual.file());
        fs::write(&path, actual.text()).map_err(|error| Error::File { path, error })?;
        Ok(true)
    }
}

/// The keys of a configuration, each once.
struct Config(Vec<(String, String)>);

// === impl Config ===

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Config;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
                let mut keys: Vec<(String, String)> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    if keys.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format!("`{key}` is given twice")));
                    }
                    keys.push((key, value));
                }
                Ok(Config(keys))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// A misspelt name would be a file that nobody reads.
fn no_strays(folder: &Path) -> Result<(), Error> {
    let file_error = |error| Error::File {
        path: folder.to_owned(),
        error,
    };
    for entry in fs::read_dir(folder).map_err(file_error)? {
        let entry = entry.map_err(file_error)?;
        let known = ["config.json", "input.json", "expected.json", "error.txt"];
        if !known.iter().any(|known| entry.file_name() == *known) {
            return Err(Error::Stray(entry.path()));
        }
    }
    Ok(())
}

fn input(path: &Path, text: &str, kind: Kind) -> Result<Input, Error> {
    let field = |(field, message)| Error::Field {
        path: path.to_owned(),
        field,
        message,
    };
    match kind {
        Kind::Transformation | Kind::Predicate => parse::<RecordsFile>(path, text)?
            .into_records()
            .map(Input::Records)
            .map_err(field),
        Kind::Router => parse::<Topics>(path, text).map(Input::Topics),
        Kind::Validator => parse::<PairsFile>(path, text)?
            .into_pairs()
            .map(Input::Pairs)
            .map_err(field),
        Kind::SchemaChecker => match parse::<Subjects>(path, text)? {
            Subjects {
                source: None,
                target: None,
            } => Err(field((
                "source".to_owned(),
                "there is a source, a target, or both".to_owned(),
            ))),
            subjects => Ok(Input::Subjects(subjects)),
        },
        Kind::AclChecker => parse::<Acls>(path, text).map(Input::Acls),
    }
}

fn expected(folder: &Path, kind: Kind) -> Result<Option<Outcome>, Error> {
    let path = folder.join("expected.json");
    let error = read(&folder.join("error.txt"))?;
    let Some(text) = read(&path)? else {
        let mistakes = |text: String| text.lines().map(str::to_owned).collect();
        return Ok(error.map(|text| Outcome::Refused(mistakes(text))));
    };
    if error.is_some() {
        return Err(Error::BothExpected(folder.to_owned()));
    }
    if let Ok(FailedFile { failure }) = serde_json::from_str(&text) {
        return Ok(Some(Outcome::Failed(failure)));
    }
    let outcome = match kind {
        Kind::Transformation => Outcome::Transformed(parse::<Transformed>(&path, &text)?),
        Kind::Router => Outcome::Routed(parse::<Routed>(&path, &text)?),
        Kind::Predicate => Outcome::Matched(parse::<Matched>(&path, &text)?),
        Kind::Validator => Outcome::Judged(parse::<Judged>(&path, &text)?),
        Kind::SchemaChecker | Kind::AclChecker => Outcome::Checked(parse::<Checked>(&path, &text)?),
    };
    Ok(Some(outcome))
}

/// None: there is no such file.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::File {
            path: path.to_owned(),
            error,
        }),
    }
}

fn missing(path: &Path) -> Error {
    let error = ErrorKind::NotFound.into();
    Error::File {
        path: path.to_owned(),
        error,
    }
}

/// Names the field that is wrong.
fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let path = path.to_owned();
    match serde_path_to_error::deserialize(&mut json) {
        Ok(parsed) => match json.end() {
            Ok(()) => Ok(parsed),
            Err(error) => Err(Error::Json {
                path,
                message: error.to_string(),
            }),
        },
        Err(error) => {
            let (field, message) = (error.path().to_string(), error.inner().to_string());
            match field.as_str() {
                "." | "?" => Err(Error::Json { path, message }),
                _ => Err(Error::Field { path, field, message }),
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Passwords and the like, which may be references to where they really are (KIP-297, KIP-421).
//!
//! `${file:/path/to.properties:key}`, `${dir:/folder:file}` and `${env:NAME}` mean what they mean under Kafka's FileConfigProvider,
//! DirectoryConfigProvider and EnvVarConfigProvider. They may stand anywhere in a value, more than once.

use std::{collections::BTreeMap, fmt, fs, io, path::Path, path::PathBuf, sync::Arc};

/// A value that is not to be shown. It is kept as it was configured and resolved at each use, so that what it refers to can be changed while
/// the program runs.
#[derive(Clone)]
pub struct Secret {
    /// The configuration key it was given under, for errors.
    key: Arc<str>,
    text: Arc<str>,
    environment: Environment,
}

/// The environment's variables, as they were when the program started. Shows nothing of itself: there are passwords in it.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<String, String>>);

/// A reference that leads nowhere. None of the texts has a value in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unresolved {
    #[error(
        "{key}: {reference} names no provider that is known; \
         write ${{file:/path/to.properties:key}}, ${{dir:/folder:file}} or ${{env:NAME}}"
    )]
    Provider { key: Arc<str>, reference: String },
    #[error("{key}: {reference} is incomplete: write {shape}")]
    Incomplete {
        key: Arc<str>,
        reference: String,
        shape: &'static str,
    },
    #[error("{key}: {reference}: {} cannot be read: {cause}; name a file that the worker may read", path.display())]
    Unreadable {
        key: Arc<str>,
        reference: String,
        path: PathBuf,
        cause: Arc<io::Error>,
    },
    #[error("{key}: {reference}: {} is not a Java properties file: {cause}; write key=value, one a line", path.display())]
    NotProperties {
        key: Arc<str>,
        reference: String,
        path: PathBuf,
        cause: String,
    },
    #[error("{key}: {reference}: {} has no key {name:?}; add it, or correct the reference", path.display())]
    NoKey {
        key: Arc<str>,
        reference: String,
        path: PathBuf,
        name: String,
    },
    #[error("{key}: {reference}: the environment has no variable {name}; set it for the worker's process")]
    NoVariable {
        key: Arc<str>,
        reference: String,
        name: String,
    },
}

// === impl Secret ===

impl Secret {
    /// `key` is the configuration key that `text` was given under.
    pub fn new(key: &str, text: &str, environment: &Environment) -> Self {
        Self {
            key: key.into(),
            text: text.into(),
            environment: environment.clone(),
        }
    }

    /// The value, with what its references refer to at this moment. Reads files: small ones, as often as somebody authenticates.
    pub fn resolve(&self) -> Result<String, Unresolved> {
        let (mut resolved, mut rest) = (String::new(), &*self.text);
        // Kafka's ConfigTransformer: "${", anything without "}" that has a colon in it, "}".
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else {
                break;
            };
            let reference = &rest[start..=start + length];
            resolved.push_str(&rest[..start]);
            match reference[2..length].split_once(':') {
                Some((provider, what)) => resolved.push_str(&self.look_up(reference, provider, what)?),
                None => resolved.push_str(reference),
            }
            rest = &rest[start + length + 1..];
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    fn look_up(&self, reference: &str, provider: &str, what: &str) -> Result<String, Unresolved> {
        let key = self.key.clone();
        let incomplete = |shape| Unresolved::Incomplete {
            key: key.clone(),
            reference: reference.to_owned(),
            shape,
        };
        match provider {
            "file" => match what.split_once(':') {
                Some((path, name)) => self.property(reference, Path::new(path), name),
                None => Err(incomplete("${file:/path/to.properties:key}")),
            },
            "dir" => match what.split_once(':') {
                // As DirectoryConfigProvider: the whole content, a line end included.
                Some((folder, file)) => self.content(reference, &Path::new(folder).join(file)),
                None => Err(incomplete("${dir:/folder:file}")),
            },
            "env" => {
                let name = what.trim_start_matches(':');
                self.environment
                    .get(name)
                    .map(str::to_owned)
                    .ok_or_else(|| Unresolved::NoVariable {
                        key: self.key.clone(),
                        reference: reference.to_owned(),
                        name: name.to_owned(),
                    })
            }
            _ => Err(Unresolved::Provider {
                key: self.key.clone(),
                reference: reference.to_owned(),
            }),
        }
    }

    fn property(&self, reference: &str, path: &Path, name: &str) -> Result<String, Unresolved> {
        let content = self.content(reference, path)?;
        let mut properties =
            java_properties::read(content.as_bytes()).map_err(|cause| Unresolved::NotProperties {
                key: self.key.clone(),
                reference: reference.to_owned(),
                path: path.to_owned(),
                cause: cause.to_string(),
            })?;
        properties.remove(name).ok_or_else(|| Unresolved::NoKey {
            key: self.key.clone(),
            reference: reference.to_owned(),
            path: path.to_owned(),
            name: name.to_owned(),
        })
    }

    fn content(&self, reference: &str, path: &Path) -> Result<String, Unresolved> {
        fs::read_to_string(path).map_err(|cause| Unresolved::Unreadable {
            key: self.key.clone(),
            reference: reference.to_owned(),
            path: path.to_owned(),
            cause: Arc::new(cause),
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

// === impl Environment ===

impl Environment {
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} variables]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String, String> {
        let environment = Environment::new([("PASSWORD".to_owned(), "p%s".to_owned())]);
        Secret::new("ssl.key.password", text, &environment)
            .resolve()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn references_are_read_where_they_lead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let file = folder.path().join("kafka.properties");
        fs::write(&file, "a = one\nb\\:c=two\\u0021\n").unwrap();
        fs::write(folder.path().join("token"), "three").unwrap();
        for (text, expected) in [
            (format!("${{file:{path}/kafka.properties:a}}"), "one"),
            (format!("<${{file:{path}/kafka.properties:b:c}}>"), "<two!>"),
            (format!("${{dir:{path}:token}}/${{env:PASSWORD}}"), "three/p%s"),
            ("plain".to_owned(), "plain"),
            ("$100 {a} ${b} ${open:".to_owned(), "$100 {a} ${b} ${open:"),
        ] {
            assert_eq!(resolve(&text).as_deref(), Ok(expected), "{text}");
        }
        // Another value in the file is another value from now on.
        fs::write(&file, "a=four\n").unwrap();
        assert_eq!(
            resolve(&format!("${{file:{path}/kafka.properties:a}}")).as_deref(),
            Ok("four")
        );
    }

    #[test]
    fn a_reference_that_leads_nowhere_names_key_place_and_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        fs::write(folder.path().join("k.properties"), "a=hidden\n").unwrap();
        for (text, expected) in [
            (
                "${vault:a:b}".to_owned(),
                "${vault:a:b} names no provider that is known",
            ),
            (
                "${file:/a}".to_owned(),
                "${file:/a} is incomplete: write ${file:/path/to.properties:key}",
            ),
            (format!("${{file:{path}/none:a}}"), "none cannot be read"),
            (
                format!("${{file:{path}/k.properties:b}}"),
                "k.properties has no key \"b\"; add it",
            ),
            (
                "x${env:NONE}".to_owned(),
                "the environment has no variable NONE; set it",
            ),
        ] {
            let error = resolve(&text).unwrap_err();
            assert!(error.starts_with("ssl.key.password: ${"), "{error}");
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let environment = Environment::new([("A".to_owned(), "hidden".to_owned())]);
        let secret = Secret::new("sasl.jaas.config", "hidden", &environment);
        assert_eq!(format!("{secret:?} {environment:?}"), "[redacted] [1 variables]");
    }
}

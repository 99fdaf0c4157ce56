//! Passwords and the like, which may be references to where they really are (KIP-297, KIP-421).
//!
//! `${file:/path/to.properties:key}`, `${dir:/folder:file}` and `${env:NAME}` mean what they mean under Kafka's FileConfigProvider,
//! DirectoryConfigProvider and EnvVarConfigProvider. They may stand anywhere in a value, more than once.

use std::{collections::BTreeMap, fmt, fs, path::Path, sync::Arc};

use towpath_domain::config::Problem;

use super::jaas::Jaas;

/// A value that is not to be shown. It is kept as it was configured and resolved at each use, so that what it refers to can be changed while
/// the program runs.
#[derive(Clone)]
pub struct Secret {
    /// The configuration key it was given under, for errors.
    key: Arc<str>,
    text: Arc<str>,
    environment: Environment,
    /// The value is this option of the JAAS line that the text is.
    option: Option<&'static str>,
}

/// The environment's variables, as they were when the program started. Shows nothing of itself: there are passwords in it.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<String, String>>);

/// A reference that leads nowhere: key, what is wrong and remedy, and no value.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unresolved(pub Problem);

// === impl Secret ===

impl Secret {
    /// `key` is the configuration key that `text` was given under.
    pub fn new(key: &str, text: &str, environment: &Environment) -> Self {
        Self {
            key: key.into(),
            text: text.into(),
            environment: environment.clone(),
            option: None,
        }
    }

    /// An option of the JAAS line that this is. References in the line are resolved before it is read, as Kafka does: the whole line may be one.
    pub(super) fn option(&self, name: &'static str) -> Self {
        Self {
            option: Some(name),
            ..self.clone()
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
        let Some(option) = self.option else {
            return Ok(resolved);
        };
        let mut line =
            Jaas::parse(&resolved).map_err(|mistake| self.unresolved(mistake.message, mistake.remedy))?;
        line.options.remove(option).ok_or_else(|| {
            self.unresolved(
                format!("{} has no option {option}", line.module),
                format!("write {option}=\"...\" behind the module"),
            )
        })
    }

    fn look_up(&self, reference: &str, provider: &str, what: &str) -> Result<String, Unresolved> {
        let incomplete =
            |shape| self.unresolved(format!("{reference} is incomplete"), format!("write {shape}"));
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
            "env" => match self.environment.get(what.trim_start_matches(':')) {
                Some(value) => Ok(value.to_owned()),
                None => Err(self.unresolved(
                    format!("{reference}: the environment has no such variable"),
                    "set it for the process, or correct the reference",
                )),
            },
            _ => Err(self.unresolved(
                format!("{reference} names no provider that is known"),
                "write ${file:/path/to.properties:key}, ${dir:/folder:file} or ${env:NAME}",
            )),
        }
    }

    fn property(&self, reference: &str, path: &Path, name: &str) -> Result<String, Unresolved> {
        let content = self.content(reference, path)?;
        let mut properties = java_properties::read(content.as_bytes()).map_err(|cause| {
            self.unresolved(
                format!(
                    "{reference}: {} is not a Java properties file: {cause}",
                    path.display()
                ),
                "write key=value, one a line",
            )
        })?;
        properties.remove(name).ok_or_else(|| {
            self.unresolved(
                format!("{reference}: {} has no key {name:?}", path.display()),
                "add it, or correct the reference",
            )
        })
    }

    fn content(&self, reference: &str, path: &Path) -> Result<String, Unresolved> {
        fs::read_to_string(path).map_err(|cause| {
            self.unresolved(
                format!("{reference}: {} cannot be read: {cause}", path.display()),
                "name a file that this process may read",
            )
        })
    }

    fn unresolved(&self, message: String, remedy: impl Into<String>) -> Unresolved {
        Unresolved(Problem::new(&*self.key, None, message, remedy))
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
                "${file:/a} is incomplete; write ${file:/path/to.properties:key}",
            ),
            (format!("${{file:{path}/none:a}}"), "none cannot be read"),
            (
                format!("${{file:{path}/k.properties:b}}"),
                "k.properties has no key \"b\"; add it",
            ),
            (
                "x${env:NONE}".to_owned(),
                "${env:NONE}: the environment has no such variable; set it",
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

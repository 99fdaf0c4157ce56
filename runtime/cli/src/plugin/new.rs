//! `towpath plugin new`: a project that builds as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use include_dir::{Dir, DirEntry, include_dir};
use towpath_domain::plugin::Kind;

use super::language::Language;
use crate::failure::Failure;

mod name;

use name::Name;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The plugin's name, by which connectors will call it: 1 to 64 lower case letters, digits and `-`, a letter first
    #[arg(value_parser = Name::parse)]
    name: Name,
    #[arg(long, value_enum)]
    lang: Language,
    /// transformation, router, predicate, validator, schema-checker or acl-checker
    #[arg(long, value_parser = kind)]
    kind: Kind,
    /// The project's folder, new or empty; by default one with the plugin's name
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Where the SDK's sources are, for languages whose projects refer to them; by default they are looked for in the folders above
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// What templates are filled in with.
pub(super) struct Project {
    pub name: Name,
    pub kind: Kind,
    pub sdk: Option<PathBuf>,
    /// Where the command was given.
    pub current: PathBuf,
}

/// What a plugin of each kind is to do, whatever its language: the templates of all languages make the same plugins.
static CASES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/cases/template");

const KINDS: [Kind; 6] = [
    Kind::Transformation,
    Kind::Router,
    Kind::Predicate,
    Kind::Validator,
    Kind::SchemaChecker,
    Kind::AclChecker,
];

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = match &arguments.path {
        Some(path) => path.clone(),
        None => PathBuf::from(arguments.name.as_str()),
    };
    let project = Project {
        name: arguments.name.clone(),
        kind: arguments.kind,
        sdk: arguments.sdk.clone(),
        current: std::env::current_dir().context("cannot tell the current folder")?,
    };
    vacant(&folder)?;
    let files = files(arguments.lang, &project)?;
    for (path, contents) in &files {
        write(&folder.join(path), contents)?;
    }
    println!(
        "{}: {} {}, builds as it is",
        folder.display(),
        arguments.kind,
        arguments.name
    );
    println!("  towpath plugin build {}", folder.display());
    println!(
        "  towpath plugin test {}",
        folder.join(format!("{}.wasm", arguments.name)).display()
    );
    Ok(ExitCode::SUCCESS)
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = KINDS.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| format!("must be one of {}", KINDS.map(Kind::as_str).join(", ")))
}

/// Nobody's work is written over.
fn vacant(folder: &Path) -> Result<(), Failure> {
    let taken = |what: &str| {
        let sentence = format!(
            "{} {what}: name another folder with --path, or remove it",
            folder.display()
        );
        Err(Failure::Input(vec![sentence]))
    };
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => taken("exists and is not empty"),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => taken("is a file"),
        Err(error) => taken(&format!("cannot be read ({error})")),
    }
}

/// Every file of a project, by its path in it.
fn files(language: Language, project: &Project) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let toolchain = language.toolchain();
    let mut placeholders = vec![
        ("name", project.name.to_string()),
        ("kind", project.kind.as_str().to_owned()),
        ("export", project.kind.as_str().replace('-', "_")),
    ];
    placeholders.extend(toolchain.placeholders(project)?);
    let template = toolchain.template();
    let sdk = toolchain.sdk().into_iter();
    let mut files: Vec<_> = sdk
        .map(|(path, contents)| (PathBuf::from(path), contents.as_bytes().to_vec()))
        .collect();
    for (from, name, to) in [
        (template, "common", ""),
        (template, project.kind.as_str(), ""),
        (&CASES, project.kind.as_str(), "cases"),
    ] {
        let folder = from.get_dir(name);
        let folder = folder.with_context(|| format!("this program has no template of a {}", project.kind))?;
        let mut found = Vec::new();
        collect(folder, &mut found);
        for file in found {
            let path = file.path().strip_prefix(name).unwrap_or(file.path());
            files.push((Path::new(to).join(path), filled(file.contents(), &placeholders)));
        }
    }
    Ok(files)
}

fn collect<'a>(folder: &'a Dir<'a>, files: &mut Vec<&'a include_dir::File<'a>>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(folder) => collect(folder, files),
            DirEntry::File(file) => files.push(file),
        }
    }
}

fn filled(contents: &[u8], placeholders: &[(&str, String)]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(contents) else {
        return contents.to_vec();
    };
    let fill = |text: String, (name, value): &(&str, String)| text.replace(&format!("{{{{{name}}}}}"), value);
    placeholders.iter().fold(text.to_owned(), fill).into_bytes()
}

fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, contents).with_context(failed)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_language_has_a_template_of_every_kind_and_nothing_in_it_stays_unfilled() {
        for (language, kind) in Language::value_variants()
            .iter()
            .flat_map(|language| KINDS.map(|kind| (*language, kind)))
        {
            let project = Project {
                name: Name::parse("my-plugin").unwrap(),
                kind,
                sdk: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust")),
                current: PathBuf::new(),
            };
            let Ok(files) = files(language, &project) else {
                panic!("{language:?} has no template of a {kind}");
            };
            let has = |start: &str| files.iter().any(|(path, _)| path.starts_with(start));
            assert!(has("README.md") && has("cases"), "{language:?} {kind}");
            for (path, contents) in &files {
                let text = String::from_utf8_lossy(contents);
                let marker = text
                    .find("{{name}}")
                    .or(text.find("{{kind}}"))
                    .or(text.find("{{sdk}}"));
                assert_eq!(marker, None, "{}", path.display());
            }
        }
    }
}

//! `towpath plugin` on components: the shipped ones pass the golden cases that their native tests pass, and what is wrong is told.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use towpath_lab::{environment, plugins, towpath};

fn tool(arguments: &[&str]) -> Result<(Output, String)> {
    let output = towpath::run(&[&["plugin"], arguments].concat(), Path::new("."))?;
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output, text))
}

fn component(name: &str) -> Result<String> {
    Ok(plugins::folder()?
        .join(format!("{name}.wasm"))
        .display()
        .to_string())
}

fn sources(name: &str) -> std::path::PathBuf {
    environment::workspace_dir().join("plugins").join(name)
}

#[test]
fn every_shipped_component_does_what_its_cases_say() -> Result<()> {
    for name in plugins::SHIPPED {
        let cases = sources(name).join("cases");
        let count = fs::read_dir(&cases)?.count();
        let (output, text) = tool(&["test", &component(name)?, "--cases", &cases.display().to_string()])?;
        ensure!(output.status.success(), "{name}: {text}");
        ensure!(
            count > 1 && text.contains(&format!("\n{count} passed, 0 failed")),
            "{name}: {text}"
        );
    }
    Ok(())
}

#[test]
fn a_case_that_expects_something_else_fails_with_a_diff_until_it_is_blessed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let case = folder.path().join("tombstones");
    fs::create_dir(&case)?;
    fs::write(case.join("config.json"), "{}")?;
    fs::write(
        case.join("input.json"),
        r#"{"records": [{"key": "a", "value": "b"}, {"key": "a", "value": null}]}"#,
    )?;
    let (plugin, cases) = (component("is-tombstone")?, folder.path().display().to_string());
    let test = ["test", &plugin, "--cases", &cases];
    let (output, text) = tool(&test)?;
    ensure!(output.status.code() == Some(1), "nothing is expected yet: {text}");
    fs::write(case.join("expected.json"), r#"{"matching": [0]}"#)?;
    let (output, text) = tool(&test)?;
    ensure!(output.status.code() == Some(1), "{text}");
    for part in ["FAILED   tombstones", "-    0", "+    1", "0 passed, 1 failed"] {
        ensure!(text.contains(part), "{part:?} is missing in {text}");
    }
    let (output, text) = tool(&[&test[..], &["--bless"]].concat())?;
    ensure!(output.status.success(), "{text}");
    let (output, text) = tool(&test)?;
    ensure!(
        output.status.success() && text.contains("1 passed, 0 failed"),
        "{text}"
    );
    Ok(())
}

#[test]
fn inspect_says_who_a_plugin_is_and_what_it_touches_as_configured() -> Result<()> {
    let plugin = component("insert-header")?;
    let (output, text) = tool(&["inspect", &plugin])?;
    ensure!(output.status.success(), "{text}");
    for part in [
        "insert-header@",
        "transformation",
        "towpath:plugin@0.1.0",
        "sha256 ",
        "header (string, required)",
    ] {
        ensure!(text.contains(part), "{part:?} is missing in {text}");
    }
    let configured = ["--config", "header=a", "--config", "value.literal=b"];
    let (output, text) = tool(&[&["inspect", &plugin, "--output", "json"], &configured[..]].concat())?;
    ensure!(output.status.success(), "{text}");
    let told: serde_json::Value = serde_json::from_str(&text).context(text)?;
    assert_eq!(told["needs"]["effects"]["headers"], true);
    assert_eq!(told["needs"]["reads"]["value"], false);
    assert_eq!(told["grants"], serde_json::json!([]));

    let (output, text) = tool(&["inspect", &plugin, "--config", "heeder=a"])?;
    ensure!(
        output.status.code() == Some(2) && text.contains("did you mean `header`?"),
        "{text}"
    );
    let nothing = sources("insert-header").join("Cargo.toml").display().to_string();
    let (output, text) = tool(&["inspect", &nothing])?;
    ensure!(
        output.status.code() == Some(2) && text.contains("Cargo.toml"),
        "{text}"
    );
    Ok(())
}

#[test]
fn bench_measures_calls_of_each_kind() -> Result<()> {
    let bench = |plugin: &str, case: &str| -> Result<(Output, String)> {
        let case = sources(plugin).join("cases").join(case).display().to_string();
        tool(&["bench", &component(plugin)?, "--case", &case, "--millis", "20"])
    };
    let batches = ["batches of    1:", "batches of  100:", "batches of 1000:"];
    for (plugin, case, unit) in [
        ("mask-field", "nested-fields", "ns a record"),
        ("record-equal", "compares-all-parts", "ns a pair"),
    ] {
        let (output, text) = bench(plugin, case)?;
        ensure!(output.status.success(), "{text}");
        for part in batches.iter().chain([&unit]) {
            ensure!(text.contains(part), "{plugin}: {part:?} is missing in {text}");
        }
    }
    let (output, text) = bench("route-by-regex", "there-and-back")?;
    ensure!(
        output.status.success() && text.contains("ns a topic") && !text.contains("batches"),
        "{text}"
    );
    let (output, text) = bench("acl-drift", "same-bindings-are-clean")?;
    ensure!(
        output.status.code() == Some(2) && text.contains("are not measured"),
        "{text}"
    );
    Ok(())
}

/// As [`tool`], in a folder, with Rust's dependencies compiled once for all such tests.
fn tool_in(folder: &Path, arguments: &[&str], path: Option<&str>) -> Result<(Output, String)> {
    let mut command = Command::new(towpath::binary()?);
    command.arg("plugin").args(arguments).current_dir(folder).env(
        "CARGO_TARGET_DIR",
        environment::profile_dir()?.with_file_name("wasm-projects"),
    );
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = command.output()?;
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output, text))
}

fn sdk() -> String {
    environment::workspace_dir()
        .join("sdk/rust")
        .display()
        .to_string()
}

const KINDS: [&str; 6] = [
    "transformation",
    "router",
    "predicate",
    "validator",
    "schema-checker",
    "acl-checker",
];

#[test]
fn a_new_project_of_every_kind_builds_and_does_what_its_cases_say() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut languages = vec![("rust", vec!["--sdk".to_owned(), sdk()], &KINDS[..])];
    // compiling CPython takes most of a minute: each way of a call once, the other kinds are wrapped alike
    let of_python = &["router", "validator", "acl-checker"][..];
    for (language, programs, kinds, remedy) in [
        (
            "c",
            &["clang", "wasm-ld"][..],
            &KINDS[..],
            "on Debian: apt-get install clang lld",
        ),
        (
            "javascript",
            &["node", "npm"],
            &KINDS,
            "install Node.js 18 or newer, with npm",
        ),
        (
            "python",
            &["python3"],
            of_python,
            "install Python 3.10 or newer, with venv and pip",
        ),
    ] {
        let missing = |program: &&&str| environment::find_program(program).is_none();
        let Some(program) = programs.iter().find(missing) else {
            languages.push((language, Vec::new(), kinds));
            continue;
        };
        ensure!(
            environment::variable("TOWPATH_TOOLCHAINS").as_deref() != Some("all"),
            "{program} was not found, {remedy}"
        );
        eprintln!("SKIPPED: new plugins in {language}, because {program} was not found, {remedy}");
    }
    for (language, more, kinds) in &languages {
        for kind in *kinds {
            let name = format!("my-{kind}-in-{language}");
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            let new = ["new", &name, "--lang", language, "--kind", kind];
            let (output, text) = tool_in(folder.path(), &[&new[..], &more].concat(), None)?;
            ensure!(output.status.success(), "{name}: {text}");
            let (output, text) = tool_in(folder.path(), &["build", &name], None)?;
            ensure!(output.status.success(), "{name}: {text}");
            for part in [
                format!("{name}@0.1.0").as_str(),
                kind,
                "towpath:plugin/plugin@0.1.0",
            ] {
                ensure!(text.contains(part), "{name}: {part:?} is missing in {text}");
            }
            // The cases beside a component are its own.
            let component = format!("{name}/{name}.wasm");
            let (output, text) = tool_in(folder.path(), &["test", &component], None)?;
            ensure!(
                output.status.success() && text.contains(" 0 failed") && !text.contains("0 passed"),
                "{name}: {text}"
            );
        }
    }
    Ok(())
}

#[test]
fn what_a_new_project_cannot_be_is_told_and_nothing_is_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("taken"))?;
    fs::write(folder.path().join("taken/work.rs"), "mine")?;
    let sdk = sdk();
    let new = |name: &str, more: &[&str]| {
        let arguments = [&["new", name, "--lang", "rust", "--kind", "router"], more].concat();
        tool_in(folder.path(), &arguments, None)
    };
    for (name, more, expected) in [
        ("taken", &["--sdk", &sdk][..], "taken exists and is not empty"),
        (
            "free",
            &["--sdk", &sdk, "--path", "taken/work.rs"],
            "work.rs is a file",
        ),
        (
            "Mine",
            &["--sdk", &sdk],
            "does not start with a lower case letter",
        ),
        (
            "../up",
            &["--sdk", &sdk],
            "does not start with a lower case letter",
        ),
        (
            "a_b",
            &["--sdk", &sdk],
            "other characters than lower case letters",
        ),
        ("towpath-plugin", &["--sdk", &sdk], "is a package of the SDK's"),
        ("free", &["--sdk", "taken"], "no Cargo.toml of towpath-plugin"),
        ("free", &[], "give --sdk"),
        ("free", &["--kind", "sink"], "cannot be used multiple times"),
    ] {
        let (output, text) = new(name, more)?;
        ensure!(
            output.status.code() == Some(2) && text.contains(expected),
            "{name} {more:?}: {text}"
        );
    }
    ensure!(fs::read_dir(folder.path())?.count() == 1, "something was written");
    ensure!(fs::read_to_string(folder.path().join("taken/work.rs"))? == "mine");
    Ok(())
}

#[test]
fn a_build_that_fails_says_why_and_leaves_the_component_before_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (output, text) = tool_in(folder.path(), &["build"], None)?;
    ensure!(
        output.status.code() == Some(2) && text.contains("no Cargo.toml, plugin.c"),
        "{text}"
    );
    let new = [
        "new",
        "broken",
        "--lang",
        "rust",
        "--kind",
        "router",
        "--sdk",
        &sdk(),
    ];
    let (output, text) = tool_in(folder.path(), &new, None)?;
    ensure!(output.status.success(), "{text}");
    let component = folder.path().join("broken/broken.wasm");
    fs::write(&component, "an older build")?;
    let source = folder.path().join("broken/src/lib.rs");
    let sound = fs::read_to_string(&source)?;
    for (text, expected) in [
        (
            sound.replace("topic.strip_prefix", "topic.strip_prefox"),
            "strip_prefox",
        ),
        // It builds, but a worker would refuse it.
        (
            sound.replace("env!(\"CARGO_PKG_VERSION\")", "\"one\""),
            "describes itself wrongly",
        ),
        (
            sound.replace("export_plugin!(router", "// export_plugin!(router"),
            "says nothing about its world",
        ),
    ] {
        ensure!(text != sound, "{expected}: nothing was broken");
        fs::write(&source, text)?;
        let (output, text) = tool_in(folder.path(), &["build", "broken"], None)?;
        ensure!(
            output.status.code() == Some(1) && text.contains(expected),
            "{text}"
        );
        ensure!(fs::read_to_string(&component)? == "an older build", "{expected}");
    }
    let (output, text) = tool_in(folder.path(), &["build", "broken"], Some("/nowhere"))?;
    ensure!(
        output.status.code() == Some(1)
            && text.contains("rustc was not found: install Rust with https://rustup.rs"),
        "{text}"
    );
    Ok(())
}

//! One plugin in every language: built by `towpath plugin build`, it does what the same golden cases say, byte for byte.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Result, ensure};
use towpath_lab::{environment, towpath};

#[path = "sdks/registries.rs"]
mod registries;

/// What a component imports that asks the registries.
const REGISTRIES: &str = "towpath:plugin/schema-registry@0.1.0";

/// A version of `plugins/insert-header`.
struct Version {
    language: &'static str,
    /// Its project, in the repository.
    project: &'static str,
    /// What its toolchain needs in the `PATH`, and how to install it.
    programs: &'static [&'static str],
    remedy: &'static str,
}

const VERSIONS: [Version; 4] = [
    Version {
        language: "Rust",
        project: "plugins/insert-header",
        programs: &["cargo"],
        remedy: "install Rust with https://rustup.rs",
    },
    Version {
        language: "C",
        project: "sdk/c/examples/insert-header",
        programs: &["clang", "wasm-ld"],
        remedy: "on Debian: apt-get install clang lld",
    },
    Version {
        language: "JavaScript",
        project: "sdk/javascript/examples/insert-header",
        programs: &["node", "npm"],
        remedy: "install Node.js 18 or newer, with npm",
    },
    Version {
        language: "Python",
        project: "sdk/python/examples/insert-header",
        programs: &["python3"],
        remedy: "install Python 3.10 or newer, with venv and pip",
    },
];

fn tool(arguments: &[&Path]) -> Result<(Output, String)> {
    // Rust's dependencies are compiled once for all such tests.
    let target = environment::profile_dir()?.with_file_name("wasm-projects");
    let output = Command::new(towpath::binary()?)
        .arg("plugin")
        .args(arguments)
        .env("CARGO_TARGET_DIR", target)
        .output()?;
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output, text))
}

/// The language's version, built where it lies in the repository.
fn built(version: &Version, out: &Path) -> Result<PathBuf> {
    let project = environment::workspace_dir().join(version.project);
    let component = out.join(format!("{}.wasm", version.language));
    let (output, text) = tool(&["build".as_ref(), &project, "--out".as_ref(), &component])?;
    ensure!(output.status.success(), "{}: {text}", version.language);
    for part in [
        "insert-header@",
        "transformation",
        "exports ",
        "imports ",
        "size ",
    ] {
        ensure!(
            text.contains(part),
            "{}: {part:?} is missing in {text}",
            version.language
        );
    }
    // It would need a grant then, for nothing.
    ensure!(!text.contains(REGISTRIES), "{}: {text}", version.language);
    Ok(component)
}

/// False: it is not installed, which is told; in CI (TOWPATH_TOOLCHAINS=all) it is a failure.
fn is_installed(version: &Version) -> Result<bool> {
    let missing = |program: &&&str| environment::find_program(program).is_none();
    let Some(program) = version.programs.iter().find(missing) else {
        return Ok(true);
    };
    let Version { language, remedy, .. } = version;
    ensure!(
        environment::variable("TOWPATH_TOOLCHAINS").as_deref() != Some("all"),
        "{program} was not found, which plugins in {language} are built with: {remedy}"
    );
    eprintln!("SKIPPED: the plugin in {language}, because {program} was not found: {remedy}");
    Ok(false)
}

#[test]
fn the_same_cases_give_the_same_bytes_in_every_language() -> Result<()> {
    let cases = environment::workspace_dir().join("plugins/insert-header/cases");
    let count = fs::read_dir(&cases)?.count();
    let out = tempfile::tempdir()?;
    for version in &VERSIONS {
        if !is_installed(version)? {
            continue;
        }
        let component = built(version, out.path())?;
        let (output, text) = tool(&["test".as_ref(), &component, "--cases".as_ref(), &cases])?;
        ensure!(output.status.success(), "{}: {text}", version.language);
        ensure!(
            count > 1 && text.contains(&format!("\n{count} passed, 0 failed")),
            "{}: {text}",
            version.language
        );
    }
    Ok(())
}

/// Texts that are JSON, and texts that only look so, each with a field `customer.id` where there is an object.
fn json_texts() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = [
        r#"{"customer":{"id":null}}"#,
        " \t\r\n{ \"a\" : [ ] , \"customer\" : { \"x\" : { } , \"id\" : -0.5e+3 } } \n",
        r#"{"customer":{"ID":1},"id":2}"#,
        r#"{"\u0063ustomer":{"\u0069d":1}}"#,
        r#"{"customer":{"id\u0000":1}}"#,
        r#"{"customer":{"i":1,"idd":2,"":3}}"#,
        r#"{"customer":[{"id":1}]}"#,
        r#"{"customer":"id"}"#,
        r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀","customer":{"id":""}}"#,
        r#""customer""#,
        "[]",
        "0",
        "-0",
        "true",
        "null",
        "",
        " ",
        "{",
        "}",
        "{}x",
        "{} {}",
        "[1,]",
        "[,1]",
        "[1 2]",
        r#"{"a":1,}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{a:1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{'a':1}"#,
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "truee",
        "nul",
        r#""a"#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\ud83d\u12""#,
        "\"a\nb\"",
        "\u{feff}{}",
        "/* no */ {}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    // UTF-8: cut off, overlong, a surrogate, above the last character, a continuation alone.
    for bytes in [
        &b"\xe2\x82"[..],
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xff",
    ] {
        texts.push([b"\"", bytes, b"\""].concat());
    }
    for depth in [127, 128, 100_000] {
        texts.push([b"[".repeat(depth), b"]".repeat(depth)].concat());
    }
    texts
}

#[test]
fn a_new_validator_takes_the_same_texts_for_json_in_every_language() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let case = folder.path().join("cases").join("texts");
    fs::create_dir_all(&case)?;
    let (mut pairs, mut rejections) = (Vec::new(), Vec::new());
    for (index, text) in json_texts().iter().enumerate() {
        let value = serde_json::json!({ "base64": data_encoding::BASE64.encode(text) });
        pairs.push(serde_json::json!({ "target": { "value": value } }));
        let reason = match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(value) if value.pointer("/customer/id").is_some() => continue,
            Ok(_) => "the value has no field customer.id",
            Err(_) => "the value is not JSON",
        };
        rejections.push(serde_json::json!({ "index": index, "reason": reason }));
    }
    ensure!(rejections.len() < pairs.len(), "some are right");
    fs::write(case.join("config.json"), r#"{"field": "customer.id"}"#)?;
    fs::write(
        case.join("input.json"),
        serde_json::json!({ "pairs": pairs }).to_string(),
    )?;
    let expected = serde_json::json!({ "rejections": rejections }).to_string();
    fs::write(case.join("expected.json"), expected)?;
    for version in &VERSIONS {
        if !is_installed(version)? {
            continue;
        }
        let language = version.language.to_lowercase();
        let name = format!("json-in-{language}");
        let (project, sdk) = (
            folder.path().join(&name),
            environment::workspace_dir().join("sdk/rust"),
        );
        let new = ["new", &name, "--lang", &language, "--kind", "validator", "--sdk"].map(Path::new);
        let (output, text) = tool(&[&new[..], &[&sdk, "--path".as_ref(), &project]].concat())?;
        ensure!(output.status.success(), "{language}: {text}");
        let (output, text) = tool(&["build".as_ref(), &project])?;
        ensure!(output.status.success(), "{language}: {text}");
        let component = project.join(format!("{name}.wasm"));
        let cases = folder.path().join("cases");
        let (output, text) = tool(&["test".as_ref(), &component, "--cases".as_ref(), &cases])?;
        ensure!(
            output.status.success() && text.contains("1 passed"),
            "{language}: {text}"
        );
    }
    Ok(())
}

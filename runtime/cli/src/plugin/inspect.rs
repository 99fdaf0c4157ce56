//! `towpath plugin inspect`.

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use towpath_domain::plugin::Kind;
use towpath_plugin_host::{ConfigKey, InitError, Needs, Plugin, Presence};

use super::open;
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The component
    file: PathBuf,
    /// A configuration key of the plugin, as KEY=VALUE; may be given more than once. What a plugin touches depends on its configuration
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = pair)]
    config: Vec<(String, String)>,
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// What a plugin touches, when that can be said.
enum Touched {
    Needs(Needs),
    /// routers and checkers
    NoRecords,
    /// not without these keys, or not with the ones that were given
    Refused(String),
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plugin = open(&arguments.file)?;
    let touched = touched(&plugin, &arguments.config);
    if let (Touched::Refused(why), false) = (&touched, arguments.config.is_empty()) {
        return Err(Failure::Input(vec![why.clone()]));
    }
    match arguments.output {
        Output::Text => print!("{}", text(&plugin, &touched)),
        Output::Json => println!("{:#}", json(&plugin, &touched)),
    }
    Ok(ExitCode::SUCCESS)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} has no `=`: write KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn touched(plugin: &std::sync::Arc<Plugin>, config: &[(String, String)]) -> Touched {
    let needs: Result<Option<Needs>, InitError> = match plugin.kind() {
        Kind::Transformation => plugin.transformation(config).map(|made| Some(made.needs())),
        Kind::Predicate => plugin.predicate(config).map(|made| Some(made.needs())),
        Kind::Validator => plugin.validator(config).map(|made| Some(made.needs())),
        Kind::Router => plugin.router(config).map(|_| None),
        Kind::SchemaChecker => plugin.schema_checker(config).map(|_| None),
        Kind::AclChecker => plugin.acl_checker(config).map(|_| None),
    };
    match needs {
        Ok(Some(needs)) => Touched::Needs(needs),
        Ok(None) => Touched::NoRecords,
        Err(error) => Touched::Refused(error.to_string()),
    }
}

fn text(plugin: &Plugin, touched: &Touched) -> String {
    let descriptor = plugin.descriptor();
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<14} {value}");
    };
    line("plugin", &plugin.reference());
    line("kind", plugin.kind().as_str());
    line("contract", &format!("towpath:plugin@{}", Plugin::CONTRACT));
    line("digest", &format!("sha256 {}", plugin.digest()));
    line(
        "asks for",
        if plugin.wants_registries() {
            "schema-registry"
        } else {
            "nothing"
        },
    );
    let needs = match touched {
        Touched::Needs(needs) => sentence(needs),
        Touched::NoRecords => "looks at no record".to_owned(),
        Touched::Refused(why) => format!("depends on its configuration, give it by --config: {why}"),
    };
    line("needs", &needs);
    let _ = writeln!(out, "\n{}", descriptor.documentation);
    for key in &descriptor.config {
        let _ = writeln!(out, "\n  {}", heading(key));
        if !key.documentation.is_empty() {
            let _ = writeln!(out, "    {}", key.documentation);
        }
    }
    out
}

fn heading(key: &ConfigKey) -> String {
    let kind = format!("{:?}", key.config_type).to_lowercase();
    let presence = match &key.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => "optional".to_owned(),
        Presence::Default(value) => format!("default {value:?}"),
    };
    let values = match key.valid_values.as_slice() {
        [] => String::new(),
        values => format!(", one of {}", values.join(", ")),
    };
    format!("{} ({kind}, {presence}{values})", key.name)
}

fn sentence(needs: &Needs) -> String {
    if needs.is_none() {
        return "nothing: batches are never decoded for it".to_owned();
    }
    let listed = |of: serde_json::Result<serde_json::Value>| -> Vec<String> {
        let fields = of
            .ok()
            .and_then(|value| value.as_object().cloned())
            .unwrap_or_default();
        let set = fields
            .into_iter()
            .filter(|(_, value)| value.as_bool() == Some(true));
        set.map(|(name, _)| name).collect()
    };
    let reads = listed(serde_json::to_value(needs.reads));
    let effects = listed(serde_json::to_value(needs.effects));
    let some = |names: Vec<String>| match names.is_empty() {
        true => "nothing".to_owned(),
        false => names.join(", "),
    };
    format!("reads {}; changes {}", some(reads), some(effects))
}

fn json(plugin: &Plugin, touched: &Touched) -> serde_json::Value {
    let needs = match touched {
        Touched::Needs(needs) => serde_json::json!(needs),
        Touched::NoRecords | Touched::Refused(_) => serde_json::Value::Null,
    };
    serde_json::json!({
        "kind": plugin.kind(),
        "contract": format!("towpath:plugin@{}", Plugin::CONTRACT),
        "digest": plugin.digest(),
        "grants": if plugin.wants_registries() { vec!["schema-registry"] } else { Vec::new() },
        "needs": needs,
        "descriptor": plugin.descriptor(),
    })
}

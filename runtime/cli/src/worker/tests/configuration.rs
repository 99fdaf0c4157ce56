//! `CONFIGURATION.md` follows from the rows by which configurations are checked. `BLESS=1 cargo test` writes it anew.

use std::fs;

use towpath_domain::config::{Definition, Presence, Shape};
use towpath_mirror::config;
use towpath_wire::security::keys;

use super::{super::properties, repository};

const BLESS: &str = "CONFIGURATION.md is not what the rows say: BLESS=1 cargo test --release -p towpath-cli";

const HEAD: &str = r#"# Configuration

*Made from the rows by which the worker checks its input (`BLESS=1 cargo test --release -p towpath-cli`); change those.*

Every key that is not here is refused, with the key that was probably meant; all mistakes of all files are reported at once, with exit code 2, before
anything is changed. Names are Kafka Connect's and MirrorMaker 2's where they have one. In the tables, **required** keys have no default, and `-`
means that a key may be left out.

| a value of type | looks like |
|---|---|
| text | anything but nothing |
| list | items separated by commas, blanks around them dropped |
| int | a whole number within the range, both ends included |
| servers | `host:port`, separated by commas; IPv6 as `[::1]:9092` |
| password | anything but nothing; it is never shown |
| topic | 1 to 249 of `a-z A-Z 0-9 . _ -` |
"#;

const WORKER: &str = r#"
## Worker

`towpath worker --config FILE`: a Java properties file. It is read once, at the start.
"#;

const LIMITS: &str = r#"
**Limits of one plugin** stand under its name: `plugin.<name>.memory.bytes`, `plugin.<name>.call.timeout.ms`, `plugin.<name>.init.timeout.ms`, `plugin.<name>.output.bytes`, `plugin.<name>.log.lines`, such as
`plugin.json-schema.memory.bytes=134217728`. What is not given is as for all. They hold for all versions and uses of the plugin; a name that is not in `plugin.path` is a mistake. Only `describe`, which says the name, may use
the most that any plugin may.
"#;

const CONNECTOR: &str = r#"
## MirrorSource connector

`towpath worker --connector FILE`, once for each connector: `{"name": "...", "config": {"key": "value"}}`, as Kafka Connect takes it; values are strings,
numbers or booleans. The file is read again when it changes: a good version is applied, a wrong one is not, and is shown as
`rejected` in the status file. **Positions are found by the connector's name**: under another name it starts anew.
"#;

const CHECKPOINT: &str = r#"
## MirrorCheckpoint connector

A file of the same form, given by `--connector` too. It syncs the committed offsets of consumer groups from source to target, by the offset maps that `MirrorSource` connectors with the same `offset.storage.topic` and
the same target cluster store: exactly, however far behind a group is. Partitions that none of them mirrors are left out, and those that are mirrored at least once have no map. Each group and partition is in `groups` of the status:

| `state` | means | to do |
|---|---|---|
| `synced` | the target has the offset that goes with the source's | |
| `not-synced` | the reason says why: the mirror has not come so far yet, the group went back on the source (the target's offset is never set back), or there is no map | wait, or as the reason says |
| `active-on-target` | the group has members on the target: they alone commit | |
| `conflict` | somebody else has committed on the target, such as a consumer that assigns itself; it is left alone, also after a restart | delete the group's offset on the target to have it synced again |

A group that is deleted on the source keeps its offsets on the target. Unchanged offsets are committed again every 12 hours, and once after a start, so that `offsets.retention.minutes` of the target does not end them. Metadata goes with the offset, the leader epoch does not.
What was committed is stored in `offset.storage.topic`, **by the connector's name** (older versions skip these rows). It needs Describe on the groups and their topics at the source; on the target Read on the groups, Read on the topics, and what a `MirrorSource` needs on
`offset.storage.topic`, also on the topic of that name with `-runs` behind it.
"#;

const SECURITY: &str = r#"
## Security

Kafka's own keys, for each cluster: with the prefix `source.cluster.` or `target.cluster.` in a connector, and as they are in `worker.properties`, for the
cluster of its `bootstrap.servers`. A key without effect, such as a trust store with `PLAINTEXT`, is a mistake.

Every value may be a reference, or have one in it: `${file:/path/to.properties:key}`, `${dir:/folder:file}`, `${env:NAME}`, as with Kafka's config providers
of these names (which are always there). What a password refers to is read again whenever it is used, and key stores and trust stores are read again at
each new connection: **renewed certificates need no restart**. A store that cannot be read then is warned of, and what was read before is used on.
"#;

const TRANSFORMS: &str = r#"
### Plugins

`transforms`, `predicates` and `validators` name aliases, in order. For each of them:

| key | type | default | meaning |
|---|---|---|---|
| `transforms.<alias>.type` | text | **required** | a router or a transformation in `plugin.path`: `name` (the newest version when the configuration is accepted) or `name@version` |
| `transforms.<alias>.predicate` | text | - | the alias of a predicate: the transformation is given the records that match, and all others pass as they are |
| `transforms.<alias>.negate` | true, false | `false` | it is given those that do not match |
| `predicates.<alias>.type` | text | **required** | a predicate. One that looks at no record is asked once a topic, and topics that no plugin touches are passed through |
| `validators.<alias>.type` | text | **required** | a validator: it sees each record that was read beside what is to be written for it |
| `validators.<alias>.on.reject` | fail, skip, dead-letter, tag | `fail` | `fail`: the partition stops before the record; `skip`: it is not written; `dead-letter`: it goes to the dead letter queue instead; `tag`: it is written with the header `towpath.rejected.<alias>`, which says why |
| `schema.checkers.<alias>.type` | text | **required** | a schema checker: it is asked about each subject as both registries have it |
| `acl.checkers.<alias>.type` | text | **required** | an ACL checker: it is asked about the target's bindings |
| `<group>.<alias>.<key>` | | | a key of the plugin: see [plugins](../../plugins) |

Predicates and transformations see topics by the source's names, whatever a router before them makes of these. Routers rename topics and never cause records to be decoded. Transformations that
move single records to other topics are refused in this version.

**Checkers** look, and mend nothing: at the start and every `checkers.interval.seconds` they are given what both clusters say of themselves, and what they find is in `checks` of the status. A check that
cannot be made is `unknown`, never `clean`. Mirroring does not wait for checks.

- `acl.checkers` see the bindings of the target, and what must be there by those of the source: a binding on topics, however it names them, becomes one for each mirrored topic under its name on the target, and `ALL` one for each
  operation. What reads is due now, and so is every denial; what writes, and transactional ids, are pending, for writing moves later. Groups keep their names. Bindings on the cluster, users and delegation tokens are
  left out, and so are those of the mirror's own principals. It needs Describe on both clusters.
- `schema.checkers` see the subjects `<topic>-key` and `<topic>-value` of every mirrored topic (TopicNameStrategy; on the target under its name there), and those of `schema.subjects`.

**The build that is accepted is the one that runs.** With the configuration the sha256 of each plugin's file is stored in `offset.storage.topic`, before the first record. As long as an alias has the same
type and the same keys of the plugin, later starts run that build, also when `plugin.path` has a newer version; when it does not have that build any more, the start is refused. An upgrade is a change of the
alias's configuration, such as its version in `type`. (Another value of a password is not: not even a hash of it is stored.)

**What plugins do** is in the status file under `plugins` of each connector, since it was started: alias, kind, name, version, the first 12 digits of the sha256, `calls`, `call_ms_total`, `call_ms_max`,
`memory_bytes_max` (of one instance, linear memory and tables), `broken` by cause (`trap`, `deadline`, `memory`, `output`, `malformed`, `undeclared`, `forbidden`), the `records` of all but routers (`in`; `out`; `dropped` by
its edits; `rejected`; `unanswered`: it failed or broke), and the plugin's own `counters`. What is asked about again counts again. When a plugin breaks, the log has one line with the plugin, version, sha256, where the records are, the
cause and the guest's functions that were running, without what is in the records: at most ten lines in ten seconds an alias. (What the guest logs itself is its own.)

**When a plugin cannot pass a record** (it rejects the record, fails, or breaks: a trap, a deadline, a limit, an answer that breaks the contract), it is called
once more on a fresh instance when it broke, and then record by record, so that all others have their answer. `errors.tolerance=none`: everything before
the record is mirrored, and the partition stops at it. `errors.tolerance=all`: the record is left out, counted as `skipped`, and goes to the dead letter queue when there is one.

A **dead letter** has the value and headers of the record as it was read, and the key `<cluster id of the source>/<topic>/<partition>/<offset>`; its own key and
timestamp are in the headers `__towpath.errors.key` and `__towpath.errors.timestamp`: the letter has the time of its writing, or retention would delete those of old records. Positions move past a record only when its letter is acknowledged; after a crash a letter may come again, under the same key. Headers that say why, unless
`errors.deadletterqueue.context.headers.enable=false`: `__connect.errors.topic`, `.partition`, `.offset`, `.connector.name`, `.task.id`, `.stage` (`TRANSFORMATION` or `VALIDATION`),
`.class.name` (the plugin, `name@version`), `.exception.class.name` (`rejected`, `failed` or `broken`), `.exception.message`, and `__towpath.errors.cluster`, `.stage` (such as `validators.contract`), `.digest`.
"#;

const REGISTRIES: &str = r#"
### Schema registries

With the prefix `source.cluster.` or `target.cluster.`: one registry a cluster, by Confluent's API, read and never written. `schema.registry.ssl.*` are the keys `ssl.*` of [security](#security), for
`https://`; without them the system's authorities are trusted.

Plugins that import `schema-registry` are given it where `plugin.grants.schema-registry` of the worker names them, and both registries are configured; without that they are refused. A registry that does not answer is
**waited for**, as a broker is, and `trouble` of the status says so. The target's ids that were found are stored in `offset.storage.topic`, so that a record that is written again has the same bytes.
"#;

#[test]
fn the_reference_follows_from_the_rows() {
    let mut text = HEAD.to_owned();
    text.push_str(WORKER);
    table(&mut text, &properties::DEFINITION);
    text.push_str(LIMITS);
    text.push_str(CONNECTOR);
    table(&mut text, &config::DEFINITION);
    text.push_str(TRANSFORMS);
    text.push_str(REGISTRIES);
    table(&mut text, &towpath_registry::Settings::DEFINITION);
    text.push_str(CHECKPOINT);
    table(&mut text, &config::CHECKPOINT_DEFINITION);
    text.push_str(SECURITY);
    table(&mut text, &keys::DEFINITION);

    let path = repository("runtime/cli/CONFIGURATION.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = written
        .lines()
        .zip(text.lines())
        .find(|(written, row)| written != row);
    assert_eq!(differs, None, "{BLESS}");
    assert_eq!(written, text, "{BLESS}");
}

fn table(text: &mut String, definition: &Definition) {
    text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in definition.keys {
        let shape = match key.shape {
            Shape::Text => "text".to_owned(),
            Shape::Password => "password".to_owned(),
            Shape::List => "list".to_owned(),
            Shape::Boolean => "`true`, `false`".to_owned(),
            Shape::Int { min, max } => format!("int, {min} to {max}"),
            Shape::OneOf(choices) => {
                let choices: Vec<_> = choices.iter().map(|choice| named(choice)).collect();
                choices.join(", ")
            }
            Shape::Servers => "servers".to_owned(),
            Shape::Topic => "topic".to_owned(),
        };
        let default = match key.presence {
            Presence::Required => "**required**".to_owned(),
            Presence::Optional => "-".to_owned(),
            Presence::Default(value) => format!("`{value}`"),
        };
        // A bar would end the cell, and what is in angle brackets would be taken for HTML.
        let meaning = key.documentation.replace('<', "\\<");
        let row = [format!("`{}`", key.name), shape, default, meaning].map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
}

fn named(choice: &str) -> String {
    if choice.is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{choice}`")
    }
}

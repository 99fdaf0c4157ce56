//! A regular expression and its replacement, as Java's `Matcher` reads them.

use std::{iter::Peekable, str::Chars};

use regex_lite::{Captures, Regex};
use towpath_plugin::{Config, pattern};

/// Names that match become other names.
pub(crate) struct Rule {
    /// of the whole name, as `Matcher.matches`
    regex: Regex,
    replacement: Vec<Part>,
}

/// A piece of a replacement.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

// === impl Rule ===

impl Rule {
    /// Reads both keys; the mistakes of both are noted.
    pub(crate) fn from_config(config: &mut Config, regex: &str, replacement: &str) -> Option<Self> {
        let regex = config.string_as(regex, pattern::whole);
        let text = config.string(replacement);
        // without a sound expression nobody knows which groups there are, but the rest can be checked
        let groups = regex.as_ref().map(Groups::of).unwrap_or(Groups::Unknown);
        let parts = parse(&text?, &groups)
            .map_err(|message| config.mistake::<()>(replacement, message))
            .ok();
        Some(Self {
            regex: regex?,
            replacement: parts?,
        })
    }

    /// The new name; none: it does not match.
    pub(crate) fn apply(&self, name: &str) -> Option<String> {
        let captures = self.regex.captures(name)?;
        Some(self.replacement.iter().map(|part| part.text(&captures)).collect())
    }
}

// === impl Part ===

impl Part {
    fn text<'a>(&'a self, captures: &'a Captures<'_>) -> &'a str {
        match self {
            Self::Text(text) => text,
            // a group that took no part in the match stands for nothing
            Self::Group(group) => captures.get(*group).map_or("", |group| group.as_str()),
        }
    }
}

/// The groups of an expression, as far as they are known.
enum Groups<'a> {
    Known(&'a Regex),
    Unknown,
}

// === impl Groups ===

impl<'a> Groups<'a> {
    fn of(regex: &'a Regex) -> Self {
        Self::Known(regex)
    }

    fn has(&self, group: usize) -> bool {
        match self {
            Self::Known(regex) => group < regex.captures_len(),
            Self::Unknown => group < 10,
        }
    }

    fn named(&self, name: &str) -> Option<usize> {
        match self {
            Self::Known(regex) => regex.capture_names().position(|known| known == Some(name)),
            Self::Unknown => Some(0),
        }
    }

    fn missing(&self, group: &str) -> String {
        match self {
            Self::Known(regex) => {
                format!(
                    "names group {group}, but the expression has {}",
                    regex.captures_len() - 1
                )
            }
            Self::Unknown => format!("names group {group}, which cannot be checked"),
        }
    }
}

/// Reads a replacement as `Matcher.appendReplacement` does: `$1` takes as many digits as make a group that exists, `${name}` is a named group,
/// a backslash takes the next character as it is.
fn parse(text: &str, groups: &Groups<'_>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => plain.push(
                rest.next()
                    .ok_or("ends in a backslash; a backslash itself is \\\\")?,
            ),
            '$' => {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Group(group(&mut rest, groups)?));
            }
            c => plain.push(c),
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn group(rest: &mut Peekable<Chars<'_>>, groups: &Groups<'_>) -> Result<usize, String> {
    match rest.next() {
        Some('{') => {
            let mut name = String::new();
            loop {
                match rest.next() {
                    Some('}') => break,
                    Some(c) => name.push(c),
                    None => return Err("has ${ without }".to_owned()),
                }
            }
            groups
                .named(&name)
                .ok_or_else(|| format!("names group {name:?}, which the expression does not have"))
        }
        Some(digit) if digit.is_ascii_digit() => {
            let mut group = value(digit);
            if !groups.has(group) {
                return Err(groups.missing(&format!("${group}")));
            }
            while let Some(digit) = rest.peek().copied().filter(char::is_ascii_digit) {
                let longer = group * 10 + value(digit);
                if !groups.has(longer) {
                    break;
                }
                group = longer;
                rest.next();
            }
            Ok(group)
        }
        _ => Err("has a $ that names no group; a dollar sign itself is \\$".to_owned()),
    }
}

fn value(digit: char) -> usize {
    digit as usize - '0' as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(regex: &str, replacement: &str) -> Rule {
        let given = [("r", regex), ("s", replacement)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut config = Config::new(given);
        let rule = Rule::from_config(&mut config, "r", "s");
        config.settle(rule).unwrap()
    }

    fn mistakes(regex: &str, replacement: &str) -> String {
        let given = [("r", regex), ("s", replacement)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut config = Config::new(given);
        let rule = Rule::from_config(&mut config, "r", "s");
        match config.settle(rule) {
            Ok(_) => String::new(),
            Err(mistakes) => mistakes.iter().map(|mistake| format!("{mistake}\n")).collect(),
        }
    }

    /// Each of these was run through `Pattern.compile(regex).matcher(name)`, `matches` and `replaceFirst`, on Java 17.
    #[test]
    fn replaces_as_java_does() {
        let cases = [
            ("(.*)", "$1_x", "a", Some("a_x")),
            ("(.*)", "$1x$1", "a", Some("axa")),
            ("(a)(b)", "$12", "ab", Some("a2")),
            (
                "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)",
                "$11-$1",
                "abcdefghijk",
                Some("k-a"),
            ),
            ("(.*)", "$0", "a.b", Some("a.b")),
            ("(?<name>.*)-v1", "${name}", "orders-v1", Some("orders")),
            ("(.*)", r"\$1\\$1", "a", Some(r"$1\a")),
            ("(a)|(b)", "x$2", "a", Some("x")),
            (r"legacy\..*", "x", "not.legacy.a", None),
            ("orders", "x", "orders2", None),
            ("(?i)ORDERS", "x", "orders", Some("x")),
            (r"([^.]+)\.([^.]+)", "$2.$1", "eu.orders", Some("orders.eu")),
        ];
        for (regex, replacement, name, expected) in cases {
            assert_eq!(
                rule(regex, replacement).apply(name).as_deref(),
                expected,
                "{regex} {replacement} {name}"
            );
        }
    }

    /// `RegexRouter` asks `matches`, but then replaces what `find` finds first, which may be less: `xb` here, and `x` before the name for `.*?`.
    #[test]
    fn what_is_replaced_is_the_whole_name() {
        assert_eq!(rule("a|ab", "x",).apply("ab").as_deref(), Some("x"));
        assert_eq!(rule("(.*?)", "x.$1").apply("ab").as_deref(), Some("x.ab"));
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        let cases = [
            ("a(", "x", "r: is not a regular expression"),
            ("a)|(b", "x", "r: is not a regular expression"),
            ("(?!a).*", "x", "lookahead and lookbehind are not supported"),
            ("(.*)", "$2", "s: names group $2, but the expression has 1"),
            ("(.*)", "${x}", "s: names group \"x\""),
            ("(.*)", "a$", "a dollar sign itself is \\$"),
            ("(.*)", "a\\", "s: ends in a backslash"),
            ("(.*)", "${a", "s: has ${ without }"),
        ];
        for (regex, replacement, expected) in cases {
            let mistakes = mistakes(regex, replacement);
            assert!(mistakes.contains(expected), "{mistakes}");
        }
        assert_eq!(mistakes("a(", "b$").lines().count(), 2, "both keys at once");
    }
}

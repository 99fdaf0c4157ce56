//! Regular expressions that match whole names, as Java's `Matcher.matches` does (feature `pattern`).

use regex_lite::Regex;

/// Compiles an expression so that it only matches whole texts. The error says what is wrong, for [`Config::string_as`](crate::Config::string_as).
///
/// ```
/// let pattern = towpath_plugin::pattern::whole("orders|eu\\..*").unwrap();
/// assert!(pattern.is_match("eu.orders") && !pattern.is_match("orders2"));
/// ```
pub fn whole(text: &str) -> Result<Regex, String> {
    let explain = |error: regex_lite::Error| format!("is not a regular expression: {error}{}", hint(text));
    // by itself first: `a)|(b` is a mistake although it would be none within a group
    Regex::new(text).map_err(explain)?;
    Regex::new(&format!("^(?:{text})$")).map_err(explain)
}

/// What people try that Java knows and this engine does not.
fn hint(text: &str) -> &'static str {
    if ["(?=", "(?!", "(?<=", "(?<!"]
        .iter()
        .any(|look| text.contains(look))
    {
        "; lookahead and lookbehind are not supported, say what shall match"
    } else if text.contains("\\p{") || text.contains("\\P{") {
        "; write the characters out, such as [a-zA-Z]"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn only_whole_texts_match() {
        let pattern = whole("a|ab").unwrap();
        assert!(pattern.is_match("ab") && pattern.is_match("a"));
        assert!(!pattern.is_match("abc") && !pattern.is_match("xa") && !pattern.is_match("ab\n"));
    }

    #[test]
    fn what_is_no_expression_is_told() {
        for (text, expected) in [
            ("a)|(b", "is not a regular expression: "),
            ("(?!a).*", "lookahead"),
            ("\\p{L}", "not supported; write the characters out"),
        ] {
            let error = whole(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

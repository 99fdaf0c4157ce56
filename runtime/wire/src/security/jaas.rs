//! `sasl.jaas.config`: one login module with its options, as Kafka's JaasConfig and Java's StreamTokenizer read it.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// `module flag name="value" ...;`
pub(super) struct Jaas {
    /// The class's full name.
    pub(super) module: String,
    /// Values are secrets.
    pub(super) options: BTreeMap<String, String>,
}

/// None of the texts has a value in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A word, or what was between quotes.
    Text(String),
    Sign(char),
    End,
}

struct Tokens<'a>(Peekable<Chars<'a>>);

const SHAPE: &str = r#"write it as in org.apache.kafka.common.security.scram.ScramLoginModule required username="..." password="...";"#;

// === impl Jaas ===

impl Jaas {
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        let mistake = |message: &str| {
            Err(Mistake {
                message: message.to_owned(),
                remedy: SHAPE,
            })
        };
        let mut tokens = Tokens(text.chars().peekable());
        let Token::Text(module) = tokens.next()? else {
            return mistake("names no login module");
        };
        match tokens.next()? {
            Token::Text(flag)
                if ["required", "requisite", "sufficient", "optional"]
                    .iter()
                    .any(|known| flag.eq_ignore_ascii_case(known)) => {}
            _ => return mistake("has no control flag (required) behind the login module"),
        }
        let mut options = BTreeMap::new();
        loop {
            let name = match tokens.next()? {
                Token::Sign(';') => break,
                Token::End => return mistake("does not end with a semicolon"),
                Token::Text(name) => name,
                Token::Sign(sign) => {
                    return mistake(&format!("has {sign:?} where the name of an option is expected"));
                }
            };
            if tokens.next()? != Token::Sign('=') {
                return mistake(&format!("has no = behind option {name}"));
            }
            match tokens.next()? {
                Token::Text(value) => drop(options.insert(name, value)),
                _ => {
                    let message =
                        format!("has no value for option {name} (what is no plain word needs quotes)");
                    return mistake(&message);
                }
            }
        }
        match tokens.next()? {
            Token::End => Ok(Self { module, options }),
            _ => mistake("has more than one login module"),
        }
    }
}

// === impl Tokens ===

impl Tokens<'_> {
    fn next(&mut self) -> Result<Token, Mistake> {
        loop {
            let Some(first) = self.0.next() else {
                return Ok(Token::End);
            };
            match first {
                _ if first <= ' ' => {}
                '/' if self.0.peek() == Some(&'/') => while self.0.next_if(|c| *c != '\n').is_some() {},
                '/' if self.0.peek() == Some(&'*') => {
                    self.0.next();
                    let mut last = ' ';
                    while let Some(next) = self.0.next().filter(|next| (last, *next) != ('*', '/')) {
                        last = next;
                    }
                }
                '"' | '\'' => return self.quoted(first),
                _ if is_word(first) => {
                    let mut word = String::from(first);
                    while let Some(next) = self.0.next_if(|c| is_word(*c) || c.is_ascii_digit() || *c == '.')
                    {
                        word.push(next);
                    }
                    return Ok(Token::Text(word));
                }
                // A digit too: Java reads a number there, and JaasConfig finds no text.
                _ => return Ok(Token::Sign(first)),
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Mistake> {
        let mut text = String::new();
        loop {
            match self.0.next() {
                Some(end) if end == quote => return Ok(Token::Text(text)),
                Some('\\') => text.push(self.escaped()),
                // Java ends the text at a line's end; what follows cannot be what was meant.
                None | Some('\n' | '\r') => {
                    return Err(Mistake {
                        message: "has a quote without its end".to_owned(),
                        remedy: "close it in the same line; a quote inside is written \\\"",
                    });
                }
                Some(other) => text.push(other),
            }
        }
    }

    fn escaped(&mut self) -> char {
        match self.0.next() {
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            // Up to three octal digits, at most \377.
            Some(first @ '0'..='7') => {
                let most = if first <= '3' { 2 } else { 1 };
                let mut code = first.to_digit(8).unwrap_or_default();
                for _ in 0..most {
                    let Some(digit) = self.0.next_if(|c| c.is_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit.to_digit(8).unwrap_or_default();
                }
                char::from_u32(code).unwrap_or_default()
            }
            Some(other) => other,
            None => '\\',
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '$') || c >= '\u{a0}'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(text: &str) -> Result<String, String> {
        let line = format!("a.b.Module required password={text};");
        Jaas::parse(&line)
            .map(|mut jaas| jaas.options.remove("password").unwrap())
            .map_err(|mistake| mistake.message)
    }

    #[test]
    fn values_are_read_as_java_reads_them() {
        for (text, expected) in [
            ("word-1.x_$", "word-1.x_$"),
            (r#""two words""#, "two words"),
            ("'single \"inside\"'", "single \"inside\""),
            (r#""a\"b\\c\nd\101\3777""#, "a\"b\\c\ndA\u{ff}7"),
            (r#""semi;colon // no comment""#, "semi;colon // no comment"),
            (r#"/* a comment */ "" // another"#, ""),
        ] {
            let text = format!("{text}\n");
            assert_eq!(option(&text).as_deref(), Ok(expected), "{text}");
        }
        let jaas = Jaas::parse("org.apache.X REQUIRED\n  username=\"u\"\n  password=\"p\" ;\n").unwrap();
        assert_eq!(jaas.module, "org.apache.X");
        assert_eq!(jaas.options.len(), 2);
    }

    #[test]
    fn a_wrong_line_says_what_is_missing_and_no_value() {
        for (text, expected) in [
            ("", "names no login module"),
            ("a.b.C", "has no control flag"),
            ("a.b.C password=hidden;", "has no control flag"),
            ("a.b.C required password=hidden", "does not end with a semicolon"),
            (
                "a.b.C required password hidden;",
                "has no = behind option password",
            ),
            (
                "a.b.C required password=123hidden;",
                "has no value for option password",
            ),
            ("a.b.C required password=\"hidden;", "has a quote without its end"),
            (
                "a.b.C required; d.e.F required;",
                "has more than one login module",
            ),
        ] {
            let mistake = Jaas::parse(text).err().unwrap();
            assert!(mistake.message.contains(expected), "{text}: {mistake:?}");
            assert!(!mistake.message.contains("hidden"), "{mistake:?}");
        }
    }
}

//! Paths, merged into one tree of what to look for.

use std::fmt;

use super::{Error, Found, scan::Scanner};

/// Paths to look for, all in one pass.
///
/// A path is `$.customer.card` or `customer.card`; `items[*]` is every item of an array, `items[0]` one of them, `['odd.name']` a
/// key with characters that mean something else here. `$` alone is the whole text.
#[derive(Clone, Debug)]
pub struct Paths {
    pub(super) nodes: Vec<Node>,
}

/// What to look for at one place in the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// by name, in the order given
    pub(super) keys: Vec<(Box<[u8]>, usize)>,
    /// by index; none: every item
    pub(super) items: Vec<(Option<usize>, usize)>,
    /// the value here is looked for, by this path
    pub(super) path: Option<usize>,
}

/// A path that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

enum Step {
    Key(String),
    Item(Option<usize>),
}

// === impl Paths ===

impl Paths {
    /// Reads all paths; all mistakes at once.
    pub fn parse<S: AsRef<str>>(paths: impl IntoIterator<Item = S>) -> Result<Self, Vec<PathError>> {
        let (mut tree, mut errors) = (
            Self {
                nodes: vec![Node::default()],
            },
            Vec::new(),
        );
        for (index, path) in paths.into_iter().enumerate() {
            let path = path.as_ref();
            match steps(path) {
                Ok(steps) => tree.add(index, steps),
                Err(message) => errors.push(PathError {
                    path: path.to_owned(),
                    message,
                }),
            }
        }
        if errors.is_empty() { Ok(tree) } else { Err(errors) }
    }

    /// Finds every value that a path leads to, in the order of the text; a key that occurs twice is found twice. Ranges never overlap: of a value
    /// and another one inside of it, the outer one is found. `found` is cleared first, and empty after an error.
    pub fn find(&self, json: &[u8], found: &mut Vec<Found>) -> Result<(), Error> {
        found.clear();
        let outcome = Scanner::new(json, &self.nodes, found).document();
        if outcome.is_err() {
            found.clear();
        }
        outcome
    }

    fn add(&mut self, path: usize, steps: Vec<Step>) {
        let mut at = 0;
        for step in steps {
            let next = self.nodes.len();
            let node = &mut self.nodes[at];
            let known = match &step {
                Step::Key(key) => node
                    .keys
                    .iter()
                    .find(|(name, _)| **name == *key.as_bytes())
                    .map(|(_, next)| *next),
                Step::Item(item) => node
                    .items
                    .iter()
                    .find(|(index, _)| index == item)
                    .map(|(_, next)| *next),
            };
            at = match (known, step) {
                (Some(known), _) => known,
                (None, Step::Key(key)) => {
                    node.keys.push((key.into_bytes().into(), next));
                    next
                }
                (None, Step::Item(index)) => {
                    node.items.push((index, next));
                    next
                }
            };
            if at == self.nodes.len() {
                self.nodes.push(Node::default());
            }
        }
        self.nodes[at].path.get_or_insert(path);
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a path: {}", self.path, self.message)
    }
}

impl std::error::Error for PathError {}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut rest = path.trim();
    let rooted = rest.starts_with('$');
    let mut steps = Vec::new();
    if rooted {
        rest = &rest[1..];
    } else if rest.is_empty() {
        return Err("it is empty; name a field, as in customer.card".to_owned());
    }
    let mut first = !rooted;
    while !rest.is_empty() {
        let step;
        (step, rest) = match rest.strip_prefix('[') {
            Some(inner) => bracket(inner)?,
            None => match rest.strip_prefix('.') {
                Some(_) if first => {
                    return Err("it starts with a dot; start with a name or with $".to_owned());
                }
                Some(name) => name_step(name)?,
                None if first => name_step(rest)?,
                None => return Err(format!("expected . or [ before {rest:?}")),
            },
        };
        steps.push(step);
        first = false;
    }
    Ok(steps)
}

fn name_step(text: &str) -> Result<(Step, &str), String> {
    let end = text.find(['.', '[', ']']).unwrap_or(text.len());
    match &text[..end] {
        "" if text.starts_with('.') => Err("`..` is not supported; write out the way".to_owned()),
        "" => Err("a name is missing".to_owned()),
        "*" => Err("`*` stands for items only, as in items[*]; write out the names of fields".to_owned()),
        name => Ok((Step::Key(name.to_owned()), &text[end..])),
    }
}

fn bracket(text: &str) -> Result<(Step, &str), String> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (name, rest) = text[1..]
            .split_once(quote)
            .ok_or_else(|| format!("the quote {quote} is not closed"))?;
        let rest = rest.strip_prefix(']').ok_or("expected ] after the quoted name")?;
        return Ok((Step::Key(name.to_owned()), rest));
    }
    let (inside, rest) = text.split_once(']').ok_or("[ is not closed")?;
    match inside.trim() {
        "*" => Ok((Step::Item(None), rest)),
        index => match index.parse() {
            Ok(index) => Ok((Step::Item(Some(index)), rest)),
            Err(_) => Err(format!("[{index}] is neither [*], nor [0], nor ['name']")),
        },
    }
}

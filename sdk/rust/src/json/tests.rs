//! The scanner against `serde_json`, on documents made at random (always the same ones).

use std::fmt::Write as _;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::*;

/// A tree that keeps duplicate keys, unlike `serde_json::Value`.
#[derive(Debug, PartialEq)]
enum Tree {
    Leaf(serde_json::Value),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Builder;

        impl<'de> Visitor<'de> for Builder {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf(serde_json::Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut array = Vec::new();
                while let Some(item) = items.next_element()? {
                    array.push(item);
                }
                Ok(Tree::Array(array))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
                let mut object = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    object.push(entry);
                }
                Ok(Tree::Object(object))
            }
        }

        deserializer.deserialize_any(Builder)
    }
}

/// xorshift64*: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn space(&mut self, out: &mut String) {
        for _ in 0..self.below(4).saturating_sub(2) {
            out.push_str(self.pick(&[" ", "\n", "\t", "\r\n"]));
        }
    }

    fn string(&mut self, out: &mut String) {
        out.push('"');
        for _ in 0..self.below(4) {
            let piece = self.pick(&[
                "a",
                "card",
                "x y",
                "{\\\"a\\\":",
                "[",
                "]}",
                "\\\\",
                "\\n",
                "\\/",
                "\\b\\f\\r\\t",
                "é",
                "漢",
                "😀",
                "\\u00e9",
                "\\ud83d\\ude00",
                "\\u0061",
                "0123456789abcdefghijklmnopqrstuvwxyz",
                "\u{7f}",
                "\\u0000",
            ]);
            out.push_str(piece);
        }
        out.push('"');
    }

    /// Few names, some of them written in another way, some of them twice in an object.
    fn key(&mut self, out: &mut String) {
        match self.below(12) {
            0 => out.push_str("\"\\u0061\""),
            1 => out.push_str("\"c\\u0061rd\""),
            2 => out.push_str("\"\\u00e9\""),
            3 => out.push_str("\"\\ud83d\\ude00\""),
            4 => self.string(out),
            _ => {
                let name = self.pick(&["a", "b", "card", "items", "é", "😀", "odd.name", ""]);
                let _ = write!(out, "\"{name}\"");
            }
        }
    }

    fn value(&mut self, depth: usize, out: &mut String) {
        self.space(out);
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => self.string(out),
            1 => out.push_str(self.pick(&["true", "false", "null"])),
            2 => out.push_str(self.pick(&[
                "0",
                "-0",
                "1",
                "-17",
                "3.25",
                "1e5",
                "-2.5E-3",
                "6.02e+23",
                "18446744073709551615",
            ])),
            3 => out.push_str("{}"),
            4 => out.push_str("[ ]"),
            5 | 6 => {
                out.push('[');
                for item in 0..=self.below(4) {
                    out.push_str(if item == 0 { "" } else { "," });
                    self.value(depth - 1, out);
                }
                out.push(']');
            }
            _ => {
                out.push('{');
                for entry in 0..=self.below(5) {
                    out.push_str(if entry == 0 { "" } else { "," });
                    self.space(out);
                    self.key(out);
                    self.space(out);
                    out.push(':');
                    self.value(depth - 1, out);
                }
                out.push('}');
            }
        }
        self.space(out);
    }
}

const PATHS: [&str; 12] = [
    "a",
    "$.b.card",
    "items[*].card",
    "items[0]",
    "card.card",
    "é",
    "a.😀",
    "['odd.name'].a",
    "$[*].a",
    "$[1][*]",
    "b[*][*]",
    "['']",
];

/// What a path means, told by the tree: values in the order of the text, the outermost only.
fn expected<'t>(tree: &'t Tree, ways: &[(usize, &[Want])], out: &mut Vec<(usize, &'t Tree)>) {
    if let Some(path) = ways
        .iter()
        .filter(|(_, way)| way.is_empty())
        .map(|(path, _)| *path)
        .min()
    {
        out.push((path, tree));
        return;
    }
    let step = |fits: &dyn Fn(&Want) -> bool| -> Vec<(usize, &[Want])> {
        ways.iter()
            .filter(|(_, way)| fits(&way[0]))
            .map(|(path, way)| (*path, &way[1..]))
            .collect()
    };
    match tree {
        Tree::Leaf(_) => {}
        Tree::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let fits = |want: &Want| {
                    matches!(want, Want::Every) || matches!(want, Want::Item(at) if *at == index)
                };
                expected(item, &step(&fits), out);
            }
        }
        Tree::Object(entries) => {
            for (key, value) in entries {
                expected(
                    value,
                    &step(&|want| matches!(want, Want::Key(name) if name == key)),
                    out,
                );
            }
        }
    }
}

/// The steps of [`PATHS`], written by hand so that the path parser is tested too.
enum Want {
    Key(&'static str),
    Item(usize),
    Every,
}

fn wants() -> Vec<Vec<Want>> {
    use Want::{Every, Item, Key};
    vec![
        vec![Key("a")],
        vec![Key("b"), Key("card")],
        vec![Key("items"), Every, Key("card")],
        vec![Key("items"), Item(0)],
        vec![Key("card"), Key("card")],
        vec![Key("é")],
        vec![Key("a"), Key("😀")],
        vec![Key("odd.name"), Key("a")],
        vec![Every, Key("a")],
        vec![Item(1), Every],
        vec![Key("b"), Every, Every],
        vec![Key("")],
    ]
}

#[test]
fn finds_what_serde_json_finds_in_random_documents() {
    let mut random = Random(0x5EED);
    let paths = Paths::parse(PATHS).unwrap();
    let wants = wants();
    let ways: Vec<(usize, &[Want])> = wants.iter().map(Vec::as_slice).enumerate().collect();
    let (mut found, mut hits) = (Vec::new(), 0);
    for round in 0..40_000 {
        let mut text = String::new();
        random.value(2 + round % 4, &mut text);
        let tree: Tree = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let mut wanted = Vec::new();
        expected(&tree, &ways, &mut wanted);
        paths
            .find(text.as_bytes(), &mut found)
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(found.len(), wanted.len(), "{text}");
        for (found, (path, tree)) in found.iter().zip(&wanted) {
            let value = &text[found.range.clone()];
            assert_eq!(value, value.trim(), "{text}");
            assert_eq!(
                (found.path, &serde_json::from_str::<Tree>(value).unwrap()),
                (*path, *tree),
                "{text}"
            );
        }
        hits += found.len();
    }
    assert!(hits > 15_000, "the documents must have something to find: {hits}");
}

#[test]
fn accepts_and_refuses_what_serde_json_does_in_damaged_documents() {
    let mut random = Random(0xBAD_5EED);
    let paths = Paths::parse(PATHS).unwrap();
    let (mut found, mut bad) = (Vec::new(), 0);
    for round in 0..40_000 {
        let mut text = String::new();
        random.value(1 + round % 5, &mut text);
        let mut text = text.into_bytes();
        for _ in 0..=random.below(2) {
            let at = random.below(text.len());
            match random.below(4) {
                0 => text.truncate(at.max(1)),
                1 => text[at] = random.below(256) as u8,
                2 => text.insert(at, b"{}[]\",:\\0-.e \x01\x80"[random.below(15)]),
                _ if text.len() > 1 => drop(text.remove(at)),
                _ => {}
            }
        }
        // `IgnoredAny` checks grammar alone, as we do; it does not look at UTF-8
        let sound = std::str::from_utf8(&text).is_ok()
            && serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
        let outcome = paths.find(&text, &mut found);
        assert_eq!(
            outcome.is_ok(),
            sound,
            "{:?}: {}",
            outcome,
            String::from_utf8_lossy(&text)
        );
        if let Err(error) = outcome {
            assert!(error.position <= text.len() && found.is_empty());
            bad += 1;
        }
    }
    assert!((10_000..39_000).contains(&bad), "{bad}");
}

#[test]
fn nesting_ends_where_serde_json_ends_it() {
    let nested =
        |depth: usize, open: &str, close: &str, core: &str| open.repeat(depth) + core + &close.repeat(depth);
    for (path, open, close) in [
        ("x", "[", "]"),
        ("x", "{\"a\":", "}"),
        ("a", "{\"a\":", "}"),
        ("a.a.a.a", "{\"a\":", "}"),
        ("[*][*]", "[", "]"),
    ] {
        let paths = Paths::parse([path]).unwrap();
        for depth in [1, 126, 127, 128, 1000, 100_000] {
            let text = nested(depth, open, close, "1");
            let ours = paths.find(text.as_bytes(), &mut Vec::new());
            assert_eq!(ours.is_ok(), depth <= MAX_DEPTH as usize, "{path} {depth}");
            if depth <= 1000 {
                assert_eq!(
                    ours.is_ok(),
                    serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                    "{path} {depth}"
                );
            }
        }
    }
}

#[test]
fn errors_say_where() {
    let cases: [(&[u8], usize, Problem); 14] = [
        (b"", 0, Problem::End),
        (b"  ", 2, Problem::End),
        (b"{\"a\":1", 6, Problem::End),
        (b"{\"a\"", 4, Problem::End),
        (b"\"abc", 4, Problem::End),
        (b"{\"a\" 1}", 5, Problem::Expected("`:`")),
        (b"{\"b\":1;}", 6, Problem::Expected("`,` or `}`")),
        (b"{\"a\":1,}", 7, Problem::Expected("a string")),
        (b"[1,]", 3, Problem::Expected("a value")),
        (b"{\"z\":\"a\nb\"}", 7, Problem::Control),
        (b"\"\\x\"", 2, Problem::Escape),
        (b"[01]", 2, Problem::Number),
        (b"{} x", 3, Problem::Trailing),
        (b"\"a\xff\"", 2, Problem::Utf8),
    ];
    let paths = Paths::parse(["a"]).unwrap();
    for (text, position, problem) in cases {
        let error = paths.find(text, &mut Vec::new()).unwrap_err();
        assert_eq!(
            error,
            Error { position, problem },
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn lone_surrogates_are_let_through_and_match_no_path() {
    let mut found = Vec::new();
    Paths::parse(["a"])
        .unwrap()
        .find(br#"{"\ud800":1,"a":"\udc00"}"#, &mut found)
        .unwrap();
    assert_eq!(
        found,
        [Found {
            path: 0,
            range: 16..24
        }]
    );
}

#[test]
fn bad_paths_are_all_reported() {
    let errors = Paths::parse([
        "a", "", "a..b", ".a", "a[x]", "a[0", "a.*", "a['b", "$a", "a[0]b", "a.",
    ])
    .unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "", "a..b", ".a", "a[x]", "a[0", "a.*", "a['b", "$a", "a[0]b", "a."
        ]
    );
}

//! One pass over the text, along the tree of paths.

use std::{cell::Cell, ops::Range};

use super::{
    Error, Found, MAX_DEPTH, Problem,
    path::Node,
    text::{Stop, Text, unescape},
};

/// Where the pass is.
pub(super) struct Scanner<'a> {
    text: Text<'a>,
    nodes: &'a [Node],
    /// the nodes that lead here, one range per open container: usually a single node
    active: Vec<usize>,
    found: &'a mut Vec<Found>,
    depth: u32,
    /// for keys with escapes
    plain: Vec<u8>,
}

thread_local! {
    /// The list of nodes of the last pass: the next one need not ask for memory.
    static ACTIVE: Cell<Vec<usize>> = const { Cell::new(Vec::new()) };
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    pub(super) fn new(json: &'a [u8], nodes: &'a [Node], found: &'a mut Vec<Found>) -> Self {
        let mut active = ACTIVE.take();
        active.clear();
        active.push(0);
        Self {
            text: Text::new(json),
            nodes,
            active,
            found,
            depth: 0,
            plain: Vec::new(),
        }
    }

    pub(super) fn document(mut self) -> Result<(), Error> {
        let outcome = self.whole();
        ACTIVE.set(self.active);
        outcome.map_err(|Stop| self.text.wrong)
    }

    fn whole(&mut self) -> Result<(), Stop> {
        self.text.whitespace();
        self.value(0..1)?;
        self.text.whitespace();
        if self.text.at == self.text.bytes.len() {
            Ok(())
        } else {
            self.text.error(Problem::Trailing)
        }
    }

    /// The value here, which these active nodes lead to.
    fn value(&mut self, active: Range<usize>) -> Result<(), Stop> {
        let nodes = self.active[active.clone()].iter().map(|node| &self.nodes[*node]);
        if let Some(path) = nodes.clone().filter_map(|node| node.path).min() {
            let start = self.text.at;
            self.skip()?;
            self.found.push(Found {
                path,
                range: start..self.text.at,
            });
            return Ok(());
        }
        match self.text.peek() {
            b'{' if nodes.clone().any(|node| !node.keys.is_empty()) => self.nested(active, Self::object),
            b'[' if nodes.clone().any(|node| !node.items.is_empty()) => self.nested(active, Self::array),
            _ => self.skip(),
        }
    }

    fn nested(
        &mut self,
        active: Range<usize>,
        inside: fn(&mut Self, Range<usize>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if self.depth == MAX_DEPTH {
            return self.text.error(Problem::Depth);
        }
        self.depth += 1;
        self.text.at += 1;
        self.text.whitespace();
        inside(self, active)?;
        self.text.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// From after `{` to before `}`.
    fn object(&mut self, active: Range<usize>) -> Result<(), Stop> {
        if self.text.peek() == b'}' {
            return Ok(());
        }
        loop {
            let (mut key, escaped) = self.text.key()?;
            if escaped {
                unescape(key, &mut self.plain);
                key = &self.plain;
            }
            let before = self.active.len();
            for index in active.clone() {
                let keys = &self.nodes[self.active[index]].keys;
                self.active.extend(
                    keys.iter()
                        .filter(|(name, _)| **name == *key)
                        .map(|(_, next)| *next),
                );
            }
            self.inner(before)?;
            match self.text.peek() {
                b',' => {
                    self.text.at += 1;
                    self.text.whitespace();
                }
                b'}' => return Ok(()),
                _ => return self.text.error(Problem::Expected("`,` or `}`")),
            }
        }
    }

    /// From after `[` to before `]`.
    fn array(&mut self, active: Range<usize>) -> Result<(), Stop> {
        if self.text.peek() == b']' {
            return Ok(());
        }
        for item in 0.. {
            let before = self.active.len();
            for index in active.clone() {
                let items = &self.nodes[self.active[index]].items;
                let wanted = |(index, _): &&(Option<usize>, usize)| index.is_none_or(|index| index == item);
                self.active
                    .extend(items.iter().filter(wanted).map(|(_, next)| *next));
            }
            self.inner(before)?;
            match self.text.peek() {
                b',' => {
                    self.text.at += 1;
                    self.text.whitespace();
                }
                b']' => return Ok(()),
                _ => return self.text.error(Problem::Expected("`,` or `]`")),
            }
        }
        Ok(())
    }

    /// A value in a container, which the nodes from `before` on lead to, and the whitespace after it.
    fn inner(&mut self, before: usize) -> Result<(), Stop> {
        if before == self.active.len() {
            self.skip()?;
        } else {
            self.value(before..self.active.len())?;
            self.active.truncate(before);
        }
        self.text.whitespace();
        Ok(())
    }

    /// A value that no path leads into: checked all the same. The open containers are bits, 1 for an object, the innermost lowest.
    fn skip(&mut self) -> Result<(), Stop> {
        let (mut open, mut levels) = (0_u128, 0_u32);
        loop {
            let byte = self.text.peek();
            if matches!(byte, b'{' | b'[') {
                if self.depth + levels == MAX_DEPTH {
                    return self.text.error(Problem::Depth);
                }
                let object = byte == b'{';
                self.text.at += 1;
                self.text.whitespace();
                if self.text.peek() == if object { b'}' } else { b']' } {
                    self.text.at += 1;
                } else {
                    open = open << 1 | u128::from(object);
                    levels += 1;
                    if object {
                        self.text.key()?;
                    }
                    continue;
                }
            } else {
                self.text.scalar()?;
            }
            // a value has ended: so may have the containers around it
            loop {
                if levels == 0 {
                    return Ok(());
                }
                let object = open & 1 == 1;
                self.text.whitespace();
                match self.text.peek() {
                    b',' => {
                        self.text.at += 1;
                        self.text.whitespace();
                        if object {
                            self.text.key()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ if object => return self.text.error(Problem::Expected("`,` or `}`")),
                    _ => return self.text.error(Problem::Expected("`,` or `]`")),
                }
                self.text.at += 1;
                open >>= 1;
                levels -= 1;
            }
        }
    }
}

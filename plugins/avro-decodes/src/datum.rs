//! Walking a datum without building it: no allocation, whatever its bytes claim.

use std::fmt;

use crate::schema::{Schema, Type};

/// How deep types may be inside of each other, so that a hostile record cannot exhaust the stack.
const MAX_DEPTH: u32 = 127;

/// The bytes are not a datum of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    /// in bytes from the start of the datum: where it stops making sense
    pub(crate) position: usize,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    End,
    Trailing,
    Boolean,
    Number,
    Length,
    Utf8,
    Symbol,
    Branch,
    Depth,
}

/// Checks that the bytes are one datum of the schema, and nothing more.
pub(crate) fn check(schema: &Schema, bytes: &[u8]) -> Result<(), Error> {
    let mut walk = Walk { schema, bytes, at: 0 };
    walk.value(schema.root, 0)?;
    if walk.at == bytes.len() {
        Ok(())
    } else {
        walk.error(Problem::Trailing)
    }
}

struct Walk<'a> {
    schema: &'a Schema,
    bytes: &'a [u8],
    at: usize,
}

// === impl Walk ===

impl Walk<'_> {
    fn value(&mut self, index: usize, depth: u32) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return self.error(Problem::Depth);
        }
        let schema = self.schema;
        match schema.get(index) {
            Type::Null => Ok(()),
            Type::Boolean => match self.bytes.get(self.at) {
                None => self.error(Problem::End),
                Some(0 | 1) => self.skip(1),
                Some(_) => self.error(Problem::Boolean),
            },
            Type::Int => {
                let start = self.at;
                match i32::try_from(self.long()?) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(Error {
                        position: start,
                        problem: Problem::Number,
                    }),
                }
            }
            Type::Long => self.long().map(|_| ()),
            Type::Bytes => {
                let len = self.len()?;
                self.skip(len)
            }
            Type::String => self.string(),
            Type::Fixed(len) => self.skip(*len),
            Type::Enum(symbols) => self.choice(*symbols, Problem::Symbol).map(|_| ()),
            Type::Array(items) => self.blocks(|walk| walk.value(*items, depth + 1)),
            Type::Map(values) => self.blocks(|walk| {
                walk.string()?;
                walk.value(*values, depth + 1)
            }),
            Type::Union(branches) => {
                let branch = self.choice(branches.len(), Problem::Branch)?;
                self.value(branches[branch], depth + 1)
            }
            Type::Record(fields) => fields.iter().try_for_each(|field| self.value(*field, depth + 1)),
        }
    }

    /// Blocks of items up to an empty one. A negative count is followed by the block's length in bytes.
    fn blocks(&mut self, item: impl Fn(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        loop {
            let start = self.at;
            let count = self.long()?;
            let end = match count {
                0 => return Ok(()),
                1.. => None,
                _ => {
                    let len = self.len()?;
                    Some(self.at.saturating_add(len))
                }
            };
            for _ in 0..count.unsigned_abs() {
                let before = self.at;
                item(self)?;
                // such as nulls: all of them are empty, however many a hostile record claims
                if self.at == before {
                    break;
                }
            }
            if end.is_some_and(|end| end != self.at) {
                return Err(Error {
                    position: start,
                    problem: Problem::Length,
                });
            }
        }
    }

    fn string(&mut self) -> Result<(), Error> {
        let len = self.len()?;
        let start = self.at;
        self.skip(len)?;
        match std::str::from_utf8(&self.bytes[start..self.at]) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error {
                position: start + error.valid_up_to(),
                problem: Problem::Utf8,
            }),
        }
    }

    /// One of so many.
    fn choice(&mut self, of: usize, problem: Problem) -> Result<usize, Error> {
        let start = self.at;
        match usize::try_from(self.long()?) {
            Ok(choice) if choice < of => Ok(choice),
            _ => Err(Error {
                position: start,
                problem,
            }),
        }
    }

    fn len(&mut self) -> Result<usize, Error> {
        let start = self.at;
        let len = self.long()?;
        usize::try_from(len).map_err(|_| Error {
            position: start,
            problem: Problem::Length,
        })
    }

    /// A zigzag varint of 64 bits.
    fn long(&mut self) -> Result<i64, Error> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.bytes.get(self.at).copied() else {
                return self.error(Problem::End);
            };
            if shift == 63 && byte > 1 {
                return self.error(Problem::Number);
            }
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn skip(&mut self, len: usize) -> Result<(), Error> {
        if self.bytes.len() - self.at < len {
            return self.error(Problem::End);
        }
        self.at += len;
        Ok(())
    }

    fn error<T>(&self, problem: Problem) -> Result<T, Error> {
        Err(Error {
            position: self.at,
            problem,
        })
    }
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.problem {
            Problem::End => "it ends too early",
            Problem::Trailing => "more bytes after the value",
            Problem::Boolean => "a boolean that is neither 0 nor 1",
            Problem::Number => "a number out of its range",
            Problem::Length => "a length that cannot be",
            Problem::Utf8 => "a text that is not UTF-8",
            Problem::Symbol => "an enum without such a symbol",
            Problem::Branch => "a union without such a branch",
            Problem::Depth => "nested too deep",
        })
    }
}

#[cfg(test)]
mod tests;

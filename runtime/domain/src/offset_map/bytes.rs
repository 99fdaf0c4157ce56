//! Runs as bytes: the first as it is, each other one by what lies between.
//!
//! A run is `length << 1 | extra`, then the hole behind it at the source, then, if `extra` is set, the offsets behind it at the target that are no record's
//! own; all as variable-length integers (7 bits a byte). A transaction of up to 63 records and its marker are two bytes.

use thiserror::Error;

use super::{Run, Runs};
use crate::Offset;

/// Bytes that are no runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the runs of an offset map end in the middle, or do not ascend")]
pub struct Malformed;

// === impl Runs ===

impl Runs {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(first) = self.first() else {
            return out;
        };
        put(&mut out, first.source.0 as u64);
        put(&mut out, first.target.0 as u64);
        for (run, next) in self.iter().zip(self.iter().skip(1)) {
            let (source, target) = (
                (next.source.0 - run.source.0) as u64,
                (next.target.0 - run.target.0) as u64,
            );
            // One of both is 0: what is longer has the hole.
            let length = source.min(target);
            let extra = target - length;
            put(&mut out, length << 1 | u64::from(extra > 0));
            put(&mut out, source - length);
            if extra > 0 {
                put(&mut out, extra);
            }
        }
        out
    }

    pub fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut run = Run {
            source: offset(take(&mut bytes)?)?,
            target: offset(take(&mut bytes)?)?,
        };
        let mut runs = Vec::from([run]);
        while !bytes.is_empty() {
            let head = take(&mut bytes)?;
            let hole = take(&mut bytes)?;
            let extra = if head & 1 == 1 { take(&mut bytes)? } else { 0 };
            let add = |to: Offset, gap: u64| {
                let length = (head >> 1).checked_add(gap);
                length
                    .and_then(|length| to.0.checked_add_unsigned(length))
                    .map(Offset)
                    .ok_or(Malformed)
            };
            let next = Run {
                source: add(run.source, hole)?,
                target: add(run.target, extra)?,
            };
            if next.source == run.source {
                return Err(Malformed);
            }
            run = next;
            runs.push(run);
        }
        Ok(Self(runs))
    }
}

fn offset(number: u64) -> Result<Offset, Malformed> {
    i64::try_from(number).map(Offset).map_err(|_| Malformed)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

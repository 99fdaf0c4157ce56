//! Free loopback ports, and ids for clusters.

use std::net::TcpListener;

use anyhow::{Result, ensure};
use rand::{RngExt, seq::IndexedRandom};

/// Below the range that the kernel gives to outgoing connections (32768 and up): a client that reconnects while its broker is down could be
/// given the broker's own port there.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Ports that nobody listens on now.
pub(crate) fn free(count: usize) -> Result<Vec<u16>> {
    let mut random = rand::rng();
    let mut held = Vec::new();
    for _ in 0..10_000 {
        if held.len() == count {
            break;
        }
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", random.random_range(RANGE))) {
            held.push(listener);
        }
    }
    ensure!(
        held.len() == count,
        "no free port between {} and {} on 127.0.0.1",
        RANGE.start,
        RANGE.end
    );
    held.iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

/// A cluster id as Kafka makes them: 16 random bytes in URL-safe base64.
pub(crate) fn cluster_id() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // The last of 22 characters carries two bits.
    let characters = (0..21)
        .map(|_| ALPHABET.choose(&mut rand::rng()))
        .chain([b"AQgw".choose(&mut rand::rng())]);
    characters.flatten().map(|byte| char::from(*byte)).collect()
}

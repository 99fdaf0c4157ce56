//! What the hash tables of the `jsonschema` crate are seeded with.
//!
//! They ask `getrandom` for seeds, which a plugin has no way to give: it gets no randomness, so that the same configuration and batch give the same answer.
//! `.cargo/config.toml` chooses getrandom's backend `custom` for guests, and this is it: the same bytes every time. Who could make keys that
//! collide is stopped by the host's deadline.
//!
//! This is the one file of the plugin with `unsafe`. Proof: getrandom's contract for this function is that `dest` is valid for writes of `len`
//! bytes; it writes exactly those, through a pointer, without reading what was there.
#![allow(unsafe_code)]

#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), getrandom::Error> {
    // SAFETY: see above
    unsafe { dest.write_bytes(0x5a, len) };
    Ok(())
}

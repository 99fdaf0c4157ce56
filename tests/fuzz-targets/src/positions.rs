use towpath_wire::fuzzing;

/// A row of the table of positions, key and value apart by a line break: refused, or written as it is read.
pub fn positions(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (key, value) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    if let Some((key, value)) = fuzzing::position(key, value) {
        assert_eq!(fuzzing::position(&key, &value), Some((key, value)));
    }
}

use bytes::Bytes;
use towpath_wire::fuzzing;

/// An answer of any API and version, behind a byte for each: decoded as a connection does, or refused, with no allocation for what it claims alone.
pub fn answers(data: &[u8]) {
    let Some(([api, version], answer)) = data.split_first_chunk::<2>() else {
        return;
    };
    let apis = fuzzing::apis();
    let (key, min, max) = apis[usize::from(*api) % apis.len()];
    let version = min + i16::from(*version) % (max - min + 1);
    // What is wrong with it is nobody's business here.
    let _ = fuzzing::answer(key, version, Bytes::copy_from_slice(answer));
}

//! Private keys on elliptic curves as Java writes them: without the public key, which is optional (RFC 5915) and which `ring` wants.

use pkcs8::{
    PrivateKeyInfoRef,
    der::{Decode, Encode, Reader, SliceReader, asn1::OctetStringRef},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const BIT_STRING: u8 = 0x03;
/// `publicKey [1]` of ECPrivateKey.
const PUBLIC_KEY: u8 = 0xa1;
const ID_EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";

/// The key with the public key of its certificate put in, when it has none. Whether they belong together `ring` finds out.
pub(super) fn complete(
    key: PrivateKeyDer<'static>,
    certificate: Option<&CertificateDer<'_>>,
) -> PrivateKeyDer<'static> {
    match (&key, certificate) {
        (PrivateKeyDer::Pkcs8(der), Some(certificate)) => {
            match with_public_key(der.secret_pkcs8_der(), certificate) {
                Some(completed) => PrivateKeyDer::Pkcs8(completed.into()),
                None => key,
            }
        }
        _ => key,
    }
}

/// None when there is nothing to put in.
fn with_public_key(der: &[u8], certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let info = PrivateKeyInfoRef::try_from(der).ok()?;
    if info.algorithm.oid.to_string() != ID_EC_PUBLIC_KEY {
        return None;
    }
    let mut reader = SliceReader::new(info.private_key.as_bytes()).ok()?;
    // Version, key; then, each optional, the curve [0] and the public key [1].
    let (key, has_public_key) = reader
        .sequence(|fields| {
            u8::decode(fields)?;
            let key = <&OctetStringRef>::decode(fields)?.as_bytes();
            let rest = fields.read_slice(fields.remaining_len())?;
            let has_public_key = rest.first() == Some(&PUBLIC_KEY) || {
                let curve = rest.get(1).map_or(0, |length| 2 + usize::from(*length));
                rest.get(curve) == Some(&PUBLIC_KEY)
            };
            Ok::<_, pkcs8::der::Error>((key, has_public_key))
        })
        .ok()?;
    if has_public_key {
        return None;
    }
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let public_key = &certificate.public_key().subject_public_key.data;
    // No bits are unused.
    let public_key = tagged(BIT_STRING, &[&[0], public_key]);
    let ec_key = tagged(
        SEQUENCE,
        &[
            &[2, 1, 1],
            &tagged(OCTET_STRING, &[key]),
            &tagged(PUBLIC_KEY, &[&public_key]),
        ],
    );
    let algorithm = info.algorithm.to_der().ok()?;
    Some(tagged(
        SEQUENCE,
        &[&[2, 1, 0], &algorithm, &tagged(OCTET_STRING, &[&ec_key])],
    ))
}

/// Tag, length, value, in DER.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![tag];
    match significant {
        [] => der.push(0),
        [short] if *short < 0x80 => der.push(*short),
        long => {
            der.push(0x80 | long.len() as u8);
            der.extend(long);
        }
    }
    der.extend(parts.concat());
    der
}

//! JKS, Java's own store before PKCS12 took over in Java 9: `sun.security.provider.JavaKeyStore` and its `KeyProtector`.
//!
//! Big endian: magic, version, entries, and a SHA-1 over the password and all of it. Keys are hidden by a key stream of SHA-1, certificates are
//! not. All of it is obsolete, and in use.

use pkcs8::{
    der::{Decode, Reader, SliceReader, asn1::OctetStringRef},
    spki::AlgorithmIdentifierRef,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha1::{Digest, Sha1};

use super::{Identity, Mistake};

struct Entry<'a> {
    alias: String,
    /// `EncryptedPrivateKeyInfo`, when it is a key.
    key: Option<&'a [u8]>,
    chain: Vec<CertificateDer<'static>>,
}

/// What was not read yet.
struct Input<'a>(&'a [u8]);

const DIGEST: usize = 20;
/// Between password and content in the digest; Sun's engineers liked to sign their work.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// Certificates, and of each key its own: what Java trusts. Without a password the digest is not checked.
pub(super) fn certificates(
    bytes: &[u8],
    password: Option<&str>,
) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let entries = entries(bytes, password)?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| entry.chain.into_iter().next())
        .collect())
}

pub(super) fn identity(
    bytes: &[u8],
    password: &str,
    key_password: &str,
) -> Result<Option<Identity>, Mistake> {
    for entry in entries(bytes, Some(password))? {
        if let Some(sealed) = entry.key {
            let key = unseal(sealed, key_password, &entry.alias)?;
            return Ok(Some(Identity {
                key: PrivateKeyDer::Pkcs8(key.into()),
                chain: entry.chain,
            }));
        }
    }
    Ok(None)
}

fn entries<'a>(bytes: &'a [u8], password: Option<&str>) -> Result<Vec<Entry<'a>>, Mistake> {
    let (content, digest) = bytes
        .split_at_checked(bytes.len().saturating_sub(DIGEST))
        .unwrap_or_default();
    if let Some(password) = password {
        let mut expected = Sha1::new_with_prefix(utf16(password));
        expected.update(WHITENER);
        expected.update(content);
        if expected.finalize()[..] != *digest {
            return Err(Mistake::Password);
        }
    }
    let mut input = Input(content);
    let (_magic, version) = (input.u32()?, input.u32()?);
    if !(1..=2).contains(&version) {
        return Err(Mistake::Content(format!(
            "its version is {version}, 1 and 2 are known"
        )));
    }
    let count = input.u32()?;
    (0..count).map(|_| input.entry(version)).collect()
}

/// Undoes KeyProtector: salt, the key under a stream of digests, and a digest that tells whether the password was right.
fn unseal(der: &[u8], password: &str, alias: &str) -> Result<Vec<u8>, Mistake> {
    let sealed = SliceReader::new(der)
        .and_then(|mut reader| {
            reader.sequence(|fields| {
                AlgorithmIdentifierRef::decode(fields)?;
                <&OctetStringRef>::decode(fields)
            })
        })
        .map_err(|cause: pkcs8::der::Error| Mistake::Content(format!("the key {alias}: {cause}")))?
        .as_bytes();
    let wrong = || Mistake::KeyPassword {
        alias: format!("the key {alias}"),
    };
    let (salt, rest) = sealed.split_at_checked(DIGEST).ok_or_else(wrong)?;
    let (hidden, check) = rest
        .split_at_checked(rest.len().saturating_sub(DIGEST))
        .ok_or_else(wrong)?;
    let password = utf16(password);
    let mut block = salt.to_vec();
    let mut key = Vec::with_capacity(hidden.len());
    for chunk in hidden.chunks(DIGEST) {
        block = Sha1::new_with_prefix(&password)
            .chain_update(&block)
            .finalize()
            .to_vec();
        key.extend(chunk.iter().zip(&block).map(|(byte, mask)| byte ^ mask));
    }
    let expected = Sha1::new_with_prefix(&password).chain_update(&key).finalize();
    if expected[..] == *check {
        Ok(key)
    } else {
        Err(wrong())
    }
}

/// As Java holds characters.
fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

// === impl Input ===

impl<'a> Input<'a> {
    fn entry(&mut self, version: u32) -> Result<Entry<'a>, Mistake> {
        let tag = self.u32()?;
        let alias = String::from_utf8_lossy(self.short()?).into_owned();
        // When it was made, ms.
        self.take(8)?;
        match tag {
            1 => {
                let key = self.long()?;
                let count = self.u32()?;
                let chain = (0..count)
                    .map(|_| self.certificate(version))
                    .collect::<Result<_, _>>()?;
                Ok(Entry {
                    alias,
                    key: Some(key),
                    chain,
                })
            }
            2 => Ok(Entry {
                alias,
                key: None,
                chain: vec![self.certificate(version)?],
            }),
            _ => Err(Mistake::Content(format!(
                "entry {alias} is of kind {tag}, which is not known"
            ))),
        }
    }

    fn certificate(&mut self, version: u32) -> Result<CertificateDer<'static>, Mistake> {
        if version > 1 {
            // "X.509"
            self.short()?;
        }
        Ok(self.long()?.to_vec().into())
    }

    fn u32(&mut self) -> Result<u32, Mistake> {
        let bytes = self.take(4)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Bytes behind a length of 16 bits.
    fn short(&mut self) -> Result<&'a [u8], Mistake> {
        let length = self
            .take(2)?
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte));
        self.take(length)
    }

    /// Bytes behind a length of 32 bits.
    fn long(&mut self) -> Result<&'a [u8], Mistake> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Mistake> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| Mistake::Content("it ends too early".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }
}

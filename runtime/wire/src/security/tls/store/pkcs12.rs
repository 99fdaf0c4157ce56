//! PKCS12, as keytool and OpenSSL write it: PBES2, and the RC2 and 3DES of older versions.

use p12_keystore::{CertificateBag, Pkcs12Archive, error::Error};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identity, Mistake};

/// A longer chain is a mistake, or a circle.
const LONGEST_CHAIN: usize = 10;

/// Those that keytool has marked as trusted, and of each key its own certificate: what Java trusts. A store without keys and without marks,
/// as OpenSSL writes it, is meant as a whole.
pub(super) fn certificates(bytes: &[u8], password: &str) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let archive = open(bytes, password)?;
    let unmarked = archive.keys.is_empty() && archive.certs.iter().all(|bag| !bag.trusted);
    let is_own = |bag: &CertificateBag| {
        archive.keys.iter().any(|key| {
            key.local_key_id.is_some() && id(key.local_key_id.as_ref()) == bag.local_key_id.as_deref()
        })
    };
    Ok(archive
        .certs
        .iter()
        .filter(|bag| unmarked || bag.trusted || is_own(bag))
        .map(certificate)
        .collect())
}

pub(super) fn identity(bytes: &[u8], password: &str) -> Result<Option<Identity>, Mistake> {
    let archive = open(bytes, password)?;
    let Some(key) = archive.keys.first() else {
        return Ok(None);
    };
    let own = archive
        .certs
        .iter()
        .find(|bag| {
            key.local_key_id.is_some() && bag.local_key_id.as_deref() == id(key.local_key_id.as_ref())
        })
        // Without an id there is one key, and its certificate comes first.
        .or_else(|| archive.certs.first().filter(|_| archive.keys.len() == 1));
    let mut chain: Vec<&CertificateBag> = own.into_iter().collect();
    while let Some(last) = chain.last()
        && last.cert.issuer() != last.cert.subject()
        && chain.len() < LONGEST_CHAIN
        && let Some(issuer) = archive
            .certs
            .iter()
            .find(|bag| bag.cert.subject() == last.cert.issuer())
    {
        chain.push(issuer);
    }
    Ok(Some(Identity {
        key: PrivateKeyDer::Pkcs8(key.key.as_der().to_vec().into()),
        chain: chain.into_iter().map(certificate).collect(),
    }))
}

fn open(bytes: &[u8], password: &str) -> Result<Pkcs12Archive, Mistake> {
    Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| match error {
        // Without a MAC a wrong password shows by what comes out of it.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Mistake::Password,
        other => Mistake::Content(other.to_string()),
    })
}

fn id(id: Option<&p12_keystore::LocalKeyId>) -> Option<&[u8]> {
    id.map(AsRef::as_ref)
}

fn certificate(bag: &CertificateBag) -> CertificateDer<'static> {
    bag.cert.as_der().to_vec().into()
}

//! PEM as Kafka reads it (KIP-651): a key and its chain, or certificates, in any order, other sections and text around them ignored, and line
//! ends replaced by blanks, for values inside of a properties file.

use data_encoding::BASE64;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identity, Mistake, decrypt};

struct Section {
    label: String,
    der: Vec<u8>,
}

const BEGIN: &str = "-----BEGIN ";

pub(super) fn is_pem(bytes: &[u8]) -> bool {
    bytes
        .windows(BEGIN.len())
        .any(|window| window == BEGIN.as_bytes())
}

pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    Ok(sections(bytes)?.into_iter().filter_map(certificate).collect())
}

pub(super) fn identity(bytes: &[u8], password: Option<&str>) -> Result<Option<Identity>, Mistake> {
    let (mut key, mut chain) = (None, Vec::new());
    for section in sections(bytes)? {
        if key.is_none()
            && let Some(found) = private_key(&section, password)?
        {
            key = Some(found);
        }
        chain.extend(certificate(section));
    }
    Ok(key.map(|key| Identity { key, chain }))
}

fn certificate(section: Section) -> Option<CertificateDer<'static>> {
    // Not "TRUSTED CERTIFICATE": OpenSSL's own, with settings behind the certificate.
    matches!(&*section.label, "CERTIFICATE" | "X509 CERTIFICATE").then(|| section.der.into())
}

fn private_key(section: &Section, password: Option<&str>) -> Result<Option<PrivateKeyDer<'static>>, Mistake> {
    let der = section.der.clone();
    match &*section.label {
        "PRIVATE KEY" => Ok(Some(PrivateKeyDer::Pkcs8(der.into()))),
        "RSA PRIVATE KEY" => Ok(Some(PrivateKeyDer::Pkcs1(der.into()))),
        "EC PRIVATE KEY" => Ok(Some(PrivateKeyDer::Sec1(der.into()))),
        "ENCRYPTED PRIVATE KEY" => decrypt(&der, password, "the private key").map(Some),
        _ => Ok(None),
    }
}

fn sections(bytes: &[u8]) -> Result<Vec<Section>, Mistake> {
    let text = String::from_utf8_lossy(bytes);
    let (mut rest, mut sections) = (&*text, Vec::new());
    while let Some((_, begun)) = rest.split_once(BEGIN) {
        let (label, body) = begun
            .split_once("-----")
            .ok_or_else(|| Mistake::Content("a BEGIN line has no end".to_owned()))?;
        let (body, behind) = body
            .split_once(&format!("-----END {label}-----"))
            .ok_or_else(|| Mistake::Content(format!("{label} has no END line")))?;
        if body.contains("Proc-Type:") {
            let what = format!("{label} is encrypted in OpenSSL's old way");
            return Err(Mistake::KeyCipher(what));
        }
        let body: String = body.split_whitespace().collect();
        let der = BASE64
            .decode(body.as_bytes())
            .map_err(|cause| Mistake::Content(format!("{label} is not base64: {cause}")))?;
        sections.push(Section {
            label: label.to_owned(),
            der,
        });
        rest = behind;
    }
    Ok(sections)
}

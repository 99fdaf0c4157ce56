//! Certificates of any kind for listeners and clients, made without a JVM; key stores as keytool writes them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow, ensure};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PublicKeyData, date_time_ymd,
};

use crate::{broker::STORE_PASSWORD, kafka::Kafka};

/// A certificate authority. What it has made lies in its folder.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A private key and its certificate.
pub struct Certified {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

// === impl Authority ===

impl Authority {
    pub fn new(folder: &Path, name: &str) -> Result<Self> {
        let mut params = params(name, &[], SystemTime::now() + YEAR)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::create_dir_all(folder)?;
        fs::write(folder.join("authority.pem"), issuer.pem())?;
        Ok(Self {
            issuer,
            folder: folder.to_owned(),
        })
    }

    /// Its own certificate.
    pub fn pem(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// For a host of these names and addresses; key and certificate in one file.
    pub fn server(&self, file: &str, names: &[&str]) -> Result<PathBuf> {
        self.certify("broker", names, SystemTime::now() + YEAR)?
            .write(&self.folder.join(file))
    }

    pub fn expired_server(&self, file: &str, names: &[&str]) -> Result<PathBuf> {
        self.certify("broker", names, SystemTime::now() - Duration::from_secs(60))?
            .write(&self.folder.join(file))
    }

    /// For a client, `CN=name`.
    pub fn client(&self, name: &str) -> Result<Certified> {
        self.client_until(name, SystemTime::now() + YEAR)
    }

    pub fn client_until(&self, name: &str, end: SystemTime) -> Result<Certified> {
        self.certify(name, &[], end)
    }

    fn certify(&self, name: &str, names: &[&str], end: SystemTime) -> Result<Certified> {
        let key = KeyPair::generate()?;
        let certificate = params(name, names, end)?.signed_by(&key, &self.issuer)?;
        Ok(Certified { key, certificate })
    }
}

// === impl Certified ===

impl Certified {
    pub fn key(&self) -> String {
        self.key.serialize_pem()
    }

    pub fn certificate(&self) -> String {
        self.certificate.pem()
    }

    /// Both, as PEM.
    pub fn pem(&self) -> String {
        format!("{}{}", self.key(), self.certificate())
    }

    pub fn write(&self, file: &Path) -> Result<PathBuf> {
        fs::write(file, self.pem())?;
        Ok(file.to_owned())
    }

    /// A store as keytool writes it: `JKS` or `PKCS12`, with [`STORE_PASSWORD`].
    pub fn store(&self, kafka: &Kafka, file: &Path, kind: &str) -> Result<PathBuf> {
        let key = PrivateKey::from_der(&self.key.serialize_der()).map_err(|error| anyhow!("{error}"))?;
        let certificate =
            Certificate::from_der(self.certificate.der()).map_err(|error| anyhow!("{error}"))?;
        let id = self.key.der_bytes()[..8].to_vec();
        let mut store = KeyStore::new();
        store.add_entry(
            "client",
            KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(id, key, [certificate])),
        );
        let raw = file.with_extension("raw");
        let written = store.writer(STORE_PASSWORD).write();
        fs::write(&raw, written.map_err(|error| anyhow!("{error}"))?)?;
        let (from, to) = (raw.display().to_string(), file.display().to_string());
        let output = kafka
            .keytool()
            .args([
                "-importkeystore",
                "-noprompt",
                "-srckeystore",
                &from,
                "-srcstorepass",
                STORE_PASSWORD,
            ])
            .args([
                "-destkeystore",
                &to,
                "-deststoretype",
                kind,
                "-deststorepass",
                STORE_PASSWORD,
            ])
            .output()?;
        ensure!(
            output.status.success(),
            "keytool: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        Ok(file.to_owned())
    }
}

/// A trust store as keytool writes it, with [`STORE_PASSWORD`].
pub fn trust_store(kafka: &Kafka, authority: &Path, file: &Path, kind: &str) -> Result<PathBuf> {
    let (certificate, to) = (authority.display().to_string(), file.display().to_string());
    let output = kafka
        .keytool()
        .args([
            "-importcert",
            "-noprompt",
            "-alias",
            "authority",
            "-file",
            &certificate,
        ])
        .args(["-keystore", &to, "-storetype", kind, "-storepass", STORE_PASSWORD])
        .output()?;
    ensure!(
        output.status.success(),
        "keytool: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(file.to_owned())
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn params(name: &str, names: &[&str], end: SystemTime) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    let end = end.duration_since(SystemTime::UNIX_EPOCH).context("after 1970")?;
    // Certificates count in seconds.
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(end.as_secs());
    Ok(params)
}

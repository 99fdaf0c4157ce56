//! The stores in `fixtures` were made by keytool 17 and OpenSSL 3 (`fixtures/README.md`); their certificate is good for a hundred years.

use rustls::crypto::ring::default_provider;

use super::*;
use crate::Environment;

const STORE_PASSWORD: &str = "store-secret";
const KEY_PASSWORD: &str = "key-secret";

struct Opening {
    store: Store,
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/security/tls/store/fixtures")
        .join(name)
}

fn secret(key: &str, text: &str) -> Option<Secret> {
    Some(Secret::new(key, text, &Environment::default())).filter(|_| !text.is_empty())
}

fn store(role: Role, path: PathBuf, password: &str, key_password: &str) -> Opening {
    Opening {
        store: Store {
            role,
            prefix: "source.cluster.".into(),
            place: Place::File(path),
            kind: None,
            password: secret("password", password),
            key_password: secret("key.password", key_password),
        },
    }
}

impl Opening {
    fn kind(mut self, kind: Kind) -> Self {
        self.store.kind = Some(kind);
        self
    }

    fn identity(&self) -> Result<Identity, String> {
        let identity = self.store.read().and_then(|sealed| self.store.identity(&sealed));
        identity.map_err(|problem| problem.to_string())
    }

    fn trusted(&self) -> Result<usize, String> {
        let trusted = self.store.read().and_then(|sealed| self.store.trusted(&sealed));
        trusted
            .map(|found| found.len())
            .map_err(|problem| problem.to_string())
    }
}

#[test]
fn keys_of_every_kind_of_store_are_read_and_fit_their_certificates() {
    for (file, password, key_password) in [
        ("key.jks", STORE_PASSWORD, KEY_PASSWORD),
        ("key.p12", STORE_PASSWORD, ""),
        ("key.p12", STORE_PASSWORD, STORE_PASSWORD),
        ("legacy.p12", STORE_PASSWORD, ""),
        ("openssl-legacy.p12", STORE_PASSWORD, ""),
        ("key-encrypted.pem", "", KEY_PASSWORD),
    ] {
        let identity = store(Role::Identity, fixture(file), password, key_password).identity();
        let identity = identity.unwrap_or_else(|problem| panic!("{file}: {problem}"));
        let key = default_provider().key_provider.load_private_key(identity.key);
        let key = key.unwrap_or_else(|error| panic!("{file}: {error}"));
        rustls::sign::CertifiedKey::new(identity.chain, key)
            .keys_match()
            .unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn certificates_of_every_kind_of_store_are_trusted() {
    for (file, password) in [
        ("trust.jks", STORE_PASSWORD),
        ("trust.jks", ""),
        ("trust.p12", STORE_PASSWORD),
        ("openssl-trust.p12", STORE_PASSWORD),
        ("key-encrypted.pem", ""),
        // Java trusts the certificates of keys, too.
        ("key.jks", STORE_PASSWORD),
        ("key.p12", STORE_PASSWORD),
    ] {
        assert_eq!(
            store(Role::Trust, fixture(file), password, "").trusted(),
            Ok(1),
            "{file}"
        );
    }
}

#[test]
fn what_java_calls_the_type_does_not_matter_between_its_own() {
    let other = store(Role::Identity, fixture("key.p12"), STORE_PASSWORD, "").kind(Kind::Jks);
    assert!(other.identity().is_ok());
}

#[test]
fn every_mistake_is_one_sentence_with_key_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let whole = fs::read(fixture("key.jks")).unwrap();
    let encrypted = fs::read_to_string(fixture("key-encrypted.pem")).unwrap();
    let (key, certificate) = encrypted.split_at(encrypted.find("-----BEGIN CERT").unwrap());
    let identity = |path, password, key_password| store(Role::Identity, path, password, key_password);
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,0\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    for (opening, expected) in [
        (
            identity(fixture("none"), "", ""),
            "ssl.keystore.location = \"FILE\": cannot be read: No such file or directory (os error 2); name a file",
        ),
        (
            identity(fixture("key.jks"), "wrong", KEY_PASSWORD),
            "ssl.keystore.password: is not the password of the JKS store that source.cluster.ssl.keystore.location names; correct it",
        ),
        (
            identity(fixture("key.jks"), "", ""),
            "ssl.keystore.password: missing",
        ),
        (
            identity(fixture("key.jks"), STORE_PASSWORD, "wrong"),
            "ssl.key.password: does not open the key mirror",
        ),
        (
            identity(fixture("key.jks"), STORE_PASSWORD, ""),
            "ssl.key.password: missing, and the key mirror",
        ),
        (
            identity(fixture("key.p12"), "wrong", ""),
            "ssl.keystore.password: is not the password of the PKCS12 store",
        ),
        (
            identity(fixture("key.p12"), "", ""),
            "ssl.keystore.password: missing",
        ),
        (
            identity(fixture("legacy.p12"), "wrong", ""),
            "ssl.keystore.password: is not the password",
        ),
        (
            identity(fixture("key-encrypted.pem"), "", "wrong"),
            "ssl.key.password: does not open the private key",
        ),
        (
            identity(fixture("key-encrypted.pem"), "", ""),
            "ssl.key.password: missing",
        ),
        (
            identity(fixture("key.p12"), STORE_PASSWORD, "").kind(Kind::Pem),
            "ssl.keystore.type = \"PEM\": what source.cluster.ssl.keystore.location names is a PKCS12 store; write PKCS12",
        ),
        (
            identity(fixture("key-encrypted.pem"), "", KEY_PASSWORD).kind(Kind::Jks),
            "ssl.keystore.type = \"JKS\"",
        ),
        (
            identity(fixture("trust.jks"), STORE_PASSWORD, ""),
            "ssl.keystore.location = \"FILE\": has no private key in it; name a store",
        ),
        (
            identity(fixture("trust.p12"), STORE_PASSWORD, ""),
            "has no private key in it",
        ),
        (
            identity(written("certificate.pem", certificate.as_bytes()), "", ""),
            "has no private key in it",
        ),
        (
            identity(written("key.pem", key.as_bytes()), "", KEY_PASSWORD),
            "has a private key without its certificate; put the certificate beside",
        ),
        (
            identity(written("half.jks", &whole[..whole.len() / 2]), STORE_PASSWORD, ""),
            "ssl.keystore.password: is not the password of the JKS store",
        ),
        (
            identity(
                written("half.p12", &fs::read(fixture("key.p12")).unwrap()[..300]),
                STORE_PASSWORD,
                "",
            ),
            "is not a sound PKCS12 store",
        ),
        (
            identity(written("half.pem", &encrypted.as_bytes()[..200]), "", ""),
            "is not a sound PEM store: ENCRYPTED PRIVATE KEY has no END line",
        ),
        (
            identity(written("old.pem", old.as_bytes()), "", ""),
            "its private key cannot be decrypted: RSA PRIVATE KEY is encrypted in OpenSSL's old way; encrypt it anew",
        ),
        (
            identity(written("jceks", &[0xce, 0xce, 0xce, 0xce, 0, 0]), "", ""),
            "is a JCEKS store, which is not supported; convert it",
        ),
        (
            identity(written("empty", b""), "", ""),
            "is neither a PEM nor a PKCS12 nor a JKS store",
        ),
        (
            store(Role::Trust, written("key-only.pem", key.as_bytes()), "", ""),
            "ssl.truststore.location = \"FILE\": has no certificate in it; put the certificate",
        ),
        (
            store(Role::Trust, written("half-trust.jks", &whole[..100]), "", ""),
            "is not a sound JKS store: it ends too early",
        ),
    ] {
        let problem = match opening.store.role {
            Role::Identity => opening.identity().err(),
            Role::Trust => opening.trusted().err(),
        };
        let problem =
            problem.unwrap_or_else(|| panic!("no mistake was found where {expected:?} is expected"));
        let Place::File(path) = &opening.store.place else {
            unreachable!()
        };
        let expected = expected.replace("FILE", &path.display().to_string());
        assert!(problem.contains(&expected), "{problem}\n{expected}");
        assert!(problem.starts_with("source.cluster.ssl."), "{problem}");
        for hidden in [STORE_PASSWORD, KEY_PASSWORD, "wrong"] {
            assert!(!problem.contains(hidden), "{problem}");
        }
    }
}

#[test]
fn pem_may_stand_in_the_configuration_itself_in_one_line() {
    let encrypted = fs::read_to_string(fixture("key-encrypted.pem"))
        .unwrap()
        .replace('\n', " ");
    let (key, chain) = encrypted.split_at(encrypted.find("-----BEGIN CERT").unwrap());
    let mut opening = store(Role::Identity, PathBuf::new(), "", KEY_PASSWORD);
    opening.store.place = Place::KeyAndChain {
        key: secret("key", key).unwrap(),
        chain: secret("chain", chain).unwrap(),
    };
    assert_eq!(opening.identity().unwrap().chain.len(), 1);
}

#[test]
fn no_damaged_store_makes_a_panic() {
    for file in ["key.jks", "key.p12", "legacy.p12", "key-encrypted.pem"] {
        let whole = fs::read(fixture(file)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        // Every length, and every seventh byte turned: without a password, so that nothing but the structure is looked at.
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            for content in [&whole[..at], &damaged] {
                fs::write(&path, content).unwrap();
                let _ = store(Role::Trust, path.clone(), "", "").trusted();
            }
        }
    }
}

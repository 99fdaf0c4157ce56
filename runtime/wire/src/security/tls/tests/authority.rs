//! Certificates of any kind, made when they are needed.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, date_time_ymd,
};

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// As PEM.
pub(super) struct Certified {
    pub(super) certificate: String,
    pub(super) key: String,
}

// === impl Authority ===

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = params(name, &[], 2020, 2200);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn server(&self, names: &[&str]) -> Certified {
        self.server_between(names, 2020, 2200)
    }

    /// Valid between the first days of two years.
    pub(super) fn server_between(&self, names: &[&str], from: i32, to: i32) -> Certified {
        self.issue(params("broker", names, from, to))
    }

    pub(super) fn client(&self, name: &str) -> Certified {
        self.client_between(name, 2020, 2200)
    }

    pub(super) fn client_between(&self, name: &str, from: i32, to: i32) -> Certified {
        let mut params = params(name, &[], from, to);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    fn issue(&self, params: CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        Certified {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

// === impl Certified ===

impl Certified {
    pub(super) fn pem(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }
}

/// Marked as an authority's.
pub(super) fn self_signed(names: &[&str], from: i32, to: i32) -> Certified {
    let mut params = params("self-signed", names, from, to);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    Certified {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn params(name: &str, names: &[&str], from: i32, to: i32) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    params
}

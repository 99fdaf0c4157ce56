//! Kafka's keys that mean nothing here, each with the reason and what to do instead.

/// Message and remedy, for a key without its prefix.
pub(super) fn known(name: &str) -> Option<(&'static str, &'static str)> {
    const JVM: &str = "is about Java's own TLS, which is not used here";
    match name {
        "ssl.provider"
        | "ssl.keymanager.algorithm"
        | "ssl.trustmanager.algorithm"
        | "ssl.secure.random.implementation"
        | "ssl.engine.factory.class"
        | "security.providers" => Some((JVM, "remove it")),
        "ssl.client.auth"
        | "ssl.principal.mapping.rules"
        | "ssl.allow.dn.changes"
        | "ssl.allow.san.changes" => Some(("is a key of brokers", "remove it")),
        "sasl.client.callback.handler.class" | "sasl.login.class" => {
            Some(("names a Java class, which is not loaded here", "remove it"))
        }
        "sasl.login.refresh.window.factor"
        | "sasl.login.refresh.window.jitter"
        | "sasl.login.refresh.min.period.seconds"
        | "sasl.login.refresh.buffer.seconds" => Some((
            "has no effect: a token is renewed after four fifths of its life",
            "remove it",
        )),
        _ if name.starts_with("sasl.kerberos.") => Some((
            "is about Kerberos (GSSAPI), which is not supported",
            "remove it, and set sasl.mechanism to SCRAM-SHA-512 or OAUTHBEARER",
        )),
        _ if name.starts_with("sasl.oauthbearer.jwks.") || name.starts_with("sasl.oauthbearer.expected.") => {
            Some(("is a key of brokers", "remove it"))
        }
        _ => None,
    }
}

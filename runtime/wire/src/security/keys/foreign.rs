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
        _ => None,
    }
}

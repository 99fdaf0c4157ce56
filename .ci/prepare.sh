# Sourced by ./test and ./demo: names what is missing on this machine, builds the programs and the plugins. TOWPATH_JAVA=0: without Kafka.

missing=0
need() {
    command -v "$1" >/dev/null && return
    echo "$1 was not found: $2" >&2
    missing=1
}
need cargo "install Rust with https://rustup.rs"
need cc "librdkafka is compiled from source, on Debian: apt-get install build-essential"
need c++ "librdkafka is compiled from source, on Debian: apt-get install build-essential"
need make "librdkafka is compiled from source, on Debian: apt-get install build-essential"
if [ ! -e /usr/include/openssl/ssl.h ] && ! pkg-config --exists openssl 2>/dev/null; then
    echo "OpenSSL's headers were not found: librdkafka is compiled with TLS, on Debian: apt-get install libssl-dev" >&2
    missing=1
fi
if [ "${TOWPATH_JAVA:-1}" = 1 ]; then
    # A JDK may be named by JAVA_HOME alone; towpath-lab checks its version.
    [ -x "${JAVA_HOME:-}/bin/java" ] || need java "Kafka's brokers run on it, on Debian: apt-get install default-jdk-headless"
    need mvn "Apache Kafka is fetched with it, on Debian: apt-get install maven"
fi
[ "$missing" = 0 ] || exit 1

wasm=wasm32-unknown-unknown
if [ ! -d "$(rustc --print target-libdir --target "$wasm")" ]; then
    echo "adding $wasm to the Rust toolchain: plugins are built for it"
    if ! rustup target add "$wasm"; then
        echo "plugins are built for $wasm, which this Rust toolchain lacks: run rustup target add $wasm" >&2
        exit 1
    fi
fi

target="${CARGO_TARGET_DIR:-$PWD/target}"
# The whole workspace: with the features that the tests are built with, so that nothing is compiled twice.
cargo build --release --locked --workspace --bins
"$target/release/towpath-lab" plugins "$target/plugins"
export TOWPATH_PLUGINS="$target/plugins"

//! The REST API over a worker in memory, to try clients against. It mirrors nothing.
//!
//! `cargo run --release -p towpath-server --example memory [127.0.0.1:8083]`
#![forbid(unsafe_code)]

use std::{env, io, sync::Arc};

use tokio::{net::TcpListener, signal};
use tokio_util::sync::CancellationToken;
use towpath_server::{Limits, serve};

#[path = "../tests/rest"]
#[expect(dead_code, reason = "the tests do more with it")]
mod rest {
    pub mod fake;
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8083".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!(
        "http://{}/openapi.json says what can be asked for; Ctrl-C ends it",
        listener.local_addr()?
    );
    let token = CancellationToken::new();
    let stopping = async {
        let heard = signal::ctrl_c().await;
        token.cancel();
        heard
    };
    let worker = Arc::new(rest::fake::Fake::new());
    tokio::try_join!(
        serve(listener, worker, Limits::default(), token.clone()),
        stopping
    )?;
    Ok(())
}

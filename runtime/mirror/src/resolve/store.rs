//! Claiming the rows, and writing what was decided.

use towpath_domain::Buckets;
use towpath_wire::positions::{Chunks, Positions};

use super::{Decided, Error, Subject};
use crate::config::Delivery;

/// A worker that runs the connector exactly once is shut out. One that runs it at least once is not noticed.
pub(super) async fn claim(subject: &Subject, positions: &Positions) -> Result<(), Error> {
    let required = match subject.delivery {
        Delivery::AtLeastOnce => return Ok(()),
        Delivery::ExactlyOnce { required } => required,
    };
    match positions.claim(&subject.connector, Buckets::ALL).await {
        Ok(_) => Ok(()),
        Err(error) if required || error.is_fenced() || error.is_retriable() => Err(error.into()),
        Err(error) => {
            // Nor does the connector run exactly once there.
            tracing::warn!(
                connector = subject.connector,
                "a worker that runs the connector would not be shut out: {error}"
            );
            Ok(())
        }
    }
}

/// Runs that leave rows are stored before, and those that hold no more are taken away after: a reader in between knows too much or nothing.
pub(super) async fn write(positions: &Positions, decided: &[Decided]) -> Result<(), Error> {
    let changes = || decided.iter().filter_map(|(_, change, _)| change.as_ref());
    let seals: Vec<_> = changes().filter_map(|change| change.seal.clone()).collect();
    if !seals.is_empty() {
        positions.seal(seals).await?;
    }
    let rows = changes().flat_map(|change| change.rows.clone()).collect();
    let lost = positions.write(rows).await?;
    if !lost.is_empty() {
        return Err(Error::Overtaken);
    }
    let unseal: Vec<_> = changes().flat_map(|change| change.unseal.clone()).collect();
    let chunks: Option<Chunks<'_>> = positions.sealed().await?;
    if let Some(chunks) = chunks.filter(|_| !unseal.is_empty()) {
        positions.unseal(&chunks, &unseal).await?;
    }
    Ok(())
}

//! Lanes that are to be another worker's: each ends in peace, as all do when a task ends, while the others go on.

use std::time::Instant;

use tokio::sync::oneshot;
use towpath_domain::Buckets;

use super::{DRAIN, Task};

/// Lanes that end.
pub(super) struct Release {
    lanes: Vec<usize>,
    released: usize,
    deadline: Instant,
    /// who waits for it is told how many lanes there were
    done: oneshot::Sender<usize>,
}

// === impl Task ===

impl Task {
    pub(super) fn release(&mut self, buckets: Buckets, done: oneshot::Sender<usize>) {
        let lanes: Vec<usize> = (0..self.lanes.len())
            .filter(|index| {
                let (lane, _) = self.lanes.at(*index);
                !lane.is_released() && buckets.contains(lane.bucket())
            })
            .collect();
        for index in &lanes {
            self.lanes[*index].close();
        }
        self.releases.push(Release {
            lanes,
            released: 0,
            deadline: Instant::now() + DRAIN,
            done,
        });
    }

    pub(super) fn pump_releases(&mut self) {
        if self.releases.is_empty() {
            return;
        }
        let now = Instant::now();
        for mut release in std::mem::take(&mut self.releases) {
            let is_late = now >= release.deadline;
            for index in std::mem::take(&mut release.lanes) {
                let (lane, _) = self.lanes.at(index);
                let is_at_rest = lane.is_at_rest(now);
                if !is_at_rest && !is_late {
                    release.lanes.push(index);
                    continue;
                }
                if !is_at_rest {
                    tracing::warn!(partition = %lane.source, "released without the answers to what was sent: its next owner looks for it");
                    self.leases.end();
                }
                self.by_source.remove(&lane.source);
                // Whether it has filler is said by its row from here on: where workers share a topic all rows are asked.
                self.options.withheld.is_filled(&lane.target);
                self.lanes[index].release();
                // An answer that still comes must not be taken for another lane's.
                if is_at_rest {
                    self.vacant.push(index);
                }
                release.released += 1;
            }
            if release.lanes.is_empty() {
                // Whoever asked may have ended.
                let _ = release.done.send(release.released);
            } else {
                self.releases.push(release);
            }
        }
    }
}

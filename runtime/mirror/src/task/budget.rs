//! The bytes a task holds between fetch and acknowledgement.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts what is held; a frame gives its bytes back when the last batch cut from it is gone.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    held: Arc<AtomicUsize>,
    limit: usize,
}

/// A share of the budget, kept alive by every batch that points into one fetch answer.
#[derive(Debug)]
pub(super) struct Share {
    held: Arc<AtomicUsize>,
    bytes: usize,
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Frame,
    Batch,
}

// === impl Budget ===

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            held: Arc::default(),
            limit,
        }
    }

    pub(super) fn take(&self, bytes: usize) -> Arc<Share> {
        self.share(bytes, Of::Frame)
    }

    /// For a batch that was copied out of its frame.
    pub(super) fn take_own(&self, bytes: usize) -> Arc<Share> {
        self.share(bytes, Of::Batch)
    }

    fn share(&self, bytes: usize, of: Of) -> Arc<Share> {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Arc::new(Share {
            held: Arc::clone(&self.held),
            bytes,
            of,
        })
    }

    /// What a fetch may bring, none while too little is left. With nothing held there is always room:
    /// a batch above the budget is admitted alone.
    pub(super) fn room(&self, wanted: usize) -> Option<usize> {
        let held = self.held.load(Ordering::Relaxed);
        let left = self.limit.saturating_sub(held);
        (held == 0 || left >= wanted.min(self.limit / 2)).then(|| wanted.min(left.max(1)))
    }
}

// === impl Share ===

impl Share {
    /// True when it keeps no more than one batch in memory.
    pub(super) fn is_own(&self) -> bool {
        self.of == Of::Batch
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_comes_back_when_the_last_batch_of_a_frame_is_gone() {
        let budget = Budget::new(100);
        assert_eq!(
            budget.room(500),
            Some(100),
            "a batch above the budget is admitted alone"
        );
        let share = budget.take(80);
        let batch = Arc::clone(&share);
        drop(share);
        assert_eq!(budget.room(40), None);
        drop(batch);
        assert_eq!(budget.room(40), Some(40));
    }
}

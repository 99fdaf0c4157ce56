/// Where each leader epoch began (Kafka's `LeaderEpochFileCache`).
#[derive(Debug, Default)]
pub(super) struct Epochs {
    /// Epoch and first offset, both growing.
    starts: Vec<(i32, i64)>,
}

/// An epoch and the offset behind its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    pub(crate) epoch: i32,
    pub(crate) end: i64,
}

// === impl Epochs ===

impl Epochs {
    pub(super) fn assign(&mut self, epoch: i32, offset: i64) {
        if self.latest() >= epoch {
            return;
        }
        // An epoch in which nothing was written leaves no trace once the next has begun at its offset.
        self.starts.retain(|(_, start)| *start < offset);
        self.starts.push((epoch, offset));
    }

    pub(super) fn latest(&self) -> i32 {
        self.starts.last().map_or(-1, |(epoch, _)| *epoch)
    }

    pub(super) fn at(&self, offset: i64) -> i32 {
        let index = self.starts.partition_point(|(_, start)| *start <= offset);
        index.checked_sub(1).map_or(-1, |index| self.starts[index].0)
    }

    /// The largest epoch at or below the one asked for, and where the next began.
    pub(super) fn end_of(&self, epoch: i32, log_end: i64) -> Option<EpochEnd> {
        if epoch < 0 {
            return None;
        }
        if epoch == self.latest() {
            return Some(EpochEnd { epoch, end: log_end });
        }
        let above = self.starts.partition_point(|(start, _)| *start <= epoch);
        let (_, end) = *self.starts.get(above)?;
        let epoch = above.checked_sub(1).map_or(epoch, |floor| self.starts[floor].0);
        Some(EpochEnd { epoch, end })
    }

    pub(super) fn deleted_before(&mut self, offset: i64) {
        let index = self.starts.partition_point(|(_, start)| *start <= offset);
        if let Some(current) = index.checked_sub(1) {
            self.starts.drain(..current);
            self.starts[0].1 = self.starts[0].1.max(offset);
        }
    }

    pub(super) fn truncate(&mut self, end: i64) {
        self.starts.retain(|(_, start)| *start < end);
    }
}

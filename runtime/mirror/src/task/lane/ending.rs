//! How a lane ends in peace, with its task or because another worker gets its partition.

use std::time::Instant;

use super::Lane;

// === impl Lane ===

impl Lane {
    /// Reads and sends nothing more; what is on the wire is still waited for, and the last position stored.
    pub(in crate::task) fn close(&mut self) {
        self.closing = true;
        // What it waits for is the next owner's to wait for.
        self.pause_until = None;
        self.abandon();
    }

    pub(in crate::task) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether nothing is left that would change it or its row.
    pub(in crate::task) fn is_at_rest(&self, now: Instant) -> bool {
        let is_looked_at = self
            .exact
            .as_ref()
            .is_some_and(|exact| exact.locating || exact.marking);
        !self.has_in_flight()
            && !self.has_pending()
            && !self.converting
            && !self.looking_up
            && !self.splitting
            && !is_looked_at
            && self.mark(now).is_none()
    }

    /// From here on it is nothing but a place in a list.
    pub(in crate::task) fn release(&mut self) {
        self.abandon();
        self.released = true;
    }

    pub(in crate::task) fn is_released(&self) -> bool {
        self.released
    }
}

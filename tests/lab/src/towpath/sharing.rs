//! Workers that share a connector: each is told by a file what it has, and told something else while it runs.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::Result;

use super::Worker;

/// There are so many in all.
pub const BUCKETS: u32 = 16;

// === impl Worker ===

impl Worker {
    /// From here on the worker has these buckets of its connectors, and nothing of others. It may be running when it was not told for the first time.
    pub fn share(&self, buckets: &BTreeMap<&str, Vec<u32>>) -> Result<()> {
        let file = self.dir.path().join("buckets.json");
        let new = file.with_extension("new");
        fs::write(&new, serde_json::to_string(buckets)?)?;
        fs::rename(&new, &file)?;
        let mut properties = fs::read_to_string(self.properties_file())?;
        if !properties.contains("buckets.file=") {
            writeln!(properties, "buckets.file={}", file.display())?;
            fs::write(self.properties_file(), properties)?;
        }
        Ok(())
    }
}

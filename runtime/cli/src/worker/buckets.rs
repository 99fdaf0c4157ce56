//! What a worker has of its connectors, where several workers share them: read from a file, and again when it changes.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;
use towpath_domain::{Bucket, Buckets, config::Problem};
use towpath_mirror::ownership::{Assigned, Ownership};

use crate::failure::Failure;

pub(super) const KEY: &str = "buckets.file";

/// The file, as it was last applied.
pub(super) struct BucketsFile {
    path: PathBuf,
    content: Vec<u8>,
    assigned: watch::Sender<Assigned>,
    /// the version that was refused last
    refused: Option<String>,
}

// === impl BucketsFile ===

impl BucketsFile {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let (content, assigned) = read(path).map_err(|what| Failure::Input(vec![what]))?;
        Ok(Self {
            path: path.to_owned(),
            content,
            assigned: watch::Sender::new(assigned),
            refused: None,
        })
    }

    pub(super) fn ownership(&self) -> Ownership {
        Ownership::assigned(self.assigned.subscribe())
    }

    /// Applies the file when it has changed. One that is wrong changes nothing. To be called again and again.
    pub(super) fn reread(&mut self) {
        match read(&self.path) {
            Ok((content, assigned)) => {
                self.refused = None;
                if content != self.content {
                    self.content = content;
                    self.assigned.send_replace(assigned);
                }
            }
            Err(what) if self.refused.as_ref() != Some(&what) => {
                tracing::error!("{what}; what was assigned before stays");
                self.refused = Some(what);
            }
            Err(_) => {}
        }
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, Assigned), String> {
    let content = std::fs::read(path).map_err(|error| {
        format!(
            "{KEY} = {}: cannot be read: {error}; name a readable file",
            path.display()
        )
    })?;
    let assigned = parse(&content).map_err(|problem| format!("{}: {problem}", path.display()))?;
    Ok((content, Arc::new(assigned)))
}

fn parse(content: &[u8]) -> Result<HashMap<String, Buckets>, Problem> {
    let lists: BTreeMap<String, Vec<u32>> = serde_json::from_slice(content).map_err(|error| {
        let remedy = r#"write {"name of a connector": [0, 1, 2], ...}, with buckets from 0 to 15"#;
        Problem::new(KEY, None, format!("no lists of buckets: {error}"), remedy)
    })?;
    let mut assigned = HashMap::new();
    for (connector, list) in lists {
        if let Some(bucket) = list.iter().find(|bucket| **bucket >= Bucket::COUNT) {
            let value = bucket.to_string();
            let remedy = format!("write numbers from 0 to {}", Bucket::COUNT - 1);
            return Err(Problem::new(&connector, Some(&value), "no bucket", remedy));
        }
        assigned.insert(connector, list.into_iter().map(Bucket).collect());
    }
    Ok(assigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_which_buckets_of_which_connectors() {
        let assigned = parse(br#"{"orders": [0, 15, 15], "payments": []}"#).unwrap();
        let expected: Buckets = [Bucket(0), Bucket(15)].into_iter().collect();
        assert_eq!(assigned["orders"], expected);
        assert_eq!(assigned["payments"], Buckets::NONE);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_value() {
        for (content, expected) in [
            (
                r#"{"orders": [16]}"#,
                "orders = \"16\": no bucket; write numbers from 0 to 15",
            ),
            (r#"{"orders": [-1]}"#, "buckets.file: no lists of buckets"),
            (r#"{"orders": 1}"#, "buckets.file: no lists of buckets"),
            ("", "buckets.file: no lists of buckets"),
        ] {
            let problem = parse(content.as_bytes()).unwrap_err().to_string();
            assert!(problem.contains(expected), "{content}: {problem}");
        }
    }

    #[test]
    fn a_file_that_becomes_wrong_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("buckets.json");
        assert!(BucketsFile::open(&path).is_err(), "there is none");
        std::fs::write(&path, r#"{"orders": [1]}"#).unwrap();
        let Ok(mut file) = BucketsFile::open(&path) else {
            panic!("a file that says it");
        };
        let mut assigned = file.assigned.subscribe();
        let of = |assigned: &Assigned| assigned.get("orders").copied().unwrap();
        std::fs::write(&path, r#"{"orders": [1, 99]}"#).unwrap();
        file.reread();
        assert!(!assigned.has_changed().unwrap());
        std::fs::write(&path, r#"{"orders": [2]}"#).unwrap();
        file.reread();
        assert_eq!(of(&assigned.borrow_and_update()), Bucket(2).into());
        file.reread();
        assert!(!assigned.has_changed().unwrap(), "it is the same");
    }
}

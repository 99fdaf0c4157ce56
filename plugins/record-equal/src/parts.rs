//! The parts of a record that are compared.

use towpath_plugin::{Batch, Column, Needs};

/// Which parts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    needs: Needs,
}

/// Both sides, as far as they are compared.
pub(crate) struct Columns<'a> {
    keys: Option<(Column, Column)>,
    values: Option<(Column, Column)>,
    /// headers have no column: they are asked for record by record
    headers: Option<(&'a Batch<'a>, &'a Batch<'a>)>,
    timestamps: Option<(Vec<i64>, Vec<i64>)>,
}

// === impl Parts ===

impl Parts {
    /// All but these.
    pub(crate) fn except(ignored: &[String]) -> Result<Self, &'static str> {
        let mut needs = Needs::none()
            .reads_key()
            .reads_value()
            .reads_headers()
            .reads_timestamp();
        for part in ignored {
            match part.as_str() {
                "key" => needs.reads.key = false,
                "value" => needs.reads.value = false,
                "headers" => needs.reads.header = false,
                "timestamp" => needs.reads.timestamp = false,
                _ => return Err("must be one of key, value, headers, timestamp"),
            }
        }
        Ok(Self { needs })
    }

    pub(crate) fn needs(self) -> Needs {
        self.needs
    }

    pub(crate) fn columns<'a>(self, source: &'a Batch<'a>, target: &'a Batch<'a>) -> Columns<'a> {
        let reads = self.needs.reads;
        Columns {
            keys: reads.key.then(|| (source.keys(), target.keys())),
            values: reads.value.then(|| (source.values(), target.values())),
            headers: reads.header.then_some((source, target)),
            timestamps: reads
                .timestamp
                .then(|| (source.timestamps(), target.timestamps())),
        }
    }
}

// === impl Columns ===

impl Columns<'_> {
    /// Which parts of a pair differ; none: they are equal.
    pub(crate) fn difference(&self, one: u32, other: u32) -> Option<String> {
        let (at, to) = (one as usize, other as usize);
        let differ = |columns: &(Column, Column)| columns.0.get(at) != columns.1.get(to);
        let parts = [
            ("key", self.keys.as_ref().is_some_and(differ)),
            ("value", self.values.as_ref().is_some_and(differ)),
            (
                "headers",
                self.headers
                    .is_some_and(|(source, target)| source.headers(one) != target.headers(other)),
            ),
            (
                "timestamp",
                self.timestamps
                    .as_ref()
                    .is_some_and(|(source, target)| source.get(at) != target.get(to)),
            ),
        ];
        let differing: Vec<&str> = parts
            .iter()
            .filter(|(_, differs)| *differs)
            .map(|(part, _)| *part)
            .collect();
        match differing.as_slice() {
            [] => None,
            ["headers"] => Some("the headers differ".to_owned()),
            [part] => Some(format!("the {part} differs")),
            [parts @ .., last] => Some(format!("{} and {last} differ", parts.join(", "))),
        }
    }
}

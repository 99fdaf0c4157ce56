//! The rules that edits must keep: WIT can say what they look like, not when they make sense.

use super::{Column, Edit, Edits};
use crate::Effects;

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// completes "it ...": an effect that was not declared
    Undeclared(&'static str),
    Malformed(String),
}

/// Checks edits of a batch of so many records. Linear in the number of edits.
pub(crate) fn check(edits: &Edits, records: u32, declared: Effects) -> Result<(), Fault> {
    check_edits(edits, records, declared)?;
    if edits.values.rows.is_empty() && edits.values.values.is_empty() {
        return Ok(());
    }
    if !declared.value {
        return Err(Fault::Undeclared("changed values"));
    }
    check_column(&edits.values.values, edits.values.rows.len())?;
    check_rows(edits, records)
}

fn check_edits(edits: &Edits, records: u32, declared: Effects) -> Result<(), Fault> {
    let mut former: Option<(u32, bool)> = None;
    for (index, edit) in &edits.edits {
        in_range(*index, records)?;
        if let Some((before, stands_alone)) = former {
            if before > *index {
                return malformed(format!(
                    "its edits are not in order: record {index} after record {before}"
                ));
            }
            if before == *index && (stands_alone || edit.stands_alone()) {
                return malformed(format!(
                    "it wants record {index} dropped, replaced or rejected, and more"
                ));
            }
        }
        former = Some((*index, edit.stands_alone()));
        if let Edit::Replace(records) = edit
            && records.is_empty()
        {
            return malformed(format!(
                "it wants record {index} replaced by nothing: that is `drop`"
            ));
        }
        match edit.undeclared(declared) {
            Some(effect) => return Err(Fault::Undeclared(effect)),
            None => continue,
        }
    }
    Ok(())
}

fn check_rows(edits: &Edits, records: u32) -> Result<(), Fault> {
    let mut others = edits.edits.iter().peekable();
    let mut former = None;
    for row in &edits.values.rows {
        in_range(*row, records)?;
        if former.is_some_and(|former| former >= *row) {
            return malformed(format!(
                "its new values are not in order, or two for record {row}"
            ));
        }
        former = Some(*row);
        while others.next_if(|(index, _)| index < row).is_some() {}
        while let Some((_, edit)) = others.next_if(|(index, _)| index == row) {
            if edit.stands_alone() || matches!(edit, Edit::SetValue(_)) {
                return malformed(format!(
                    "it gives record {row} a new value in the column, and an edit that contradicts it"
                ));
            }
        }
    }
    Ok(())
}

fn check_column(column: &Column, rows: usize) -> Result<(), Fault> {
    if column.ends.len() != rows {
        return malformed(format!(
            "it gives {} new values for {rows} records",
            column.ends.len()
        ));
    }
    if column.ends.windows(2).any(|pair| pair[0] > pair[1]) {
        return malformed("the ends of its new values descend".to_owned());
    }
    let last = column.ends.last().map_or(0, |end| *end as usize);
    if last != column.data.len() {
        return malformed(format!(
            "its new values end at byte {last} of {}",
            column.data.len()
        ));
    }
    if column.nulls.windows(2).any(|pair| pair[0] >= pair[1]) {
        return malformed("the nulls of its new values do not ascend".to_owned());
    }
    for null in &column.nulls {
        let index = *null as usize;
        let Some(end) = column.ends.get(index) else {
            return malformed(format!(
                "new value {null} is said to be null, but there are {rows}"
            ));
        };
        let start = if index == 0 { 0 } else { column.ends[index - 1] };
        if start != *end {
            return malformed(format!("new value {null} is said to be null, but has bytes"));
        }
    }
    Ok(())
}

fn in_range(index: u32, records: u32) -> Result<(), Fault> {
    if index < records {
        return Ok(());
    }
    malformed(format!("it edits record {index} of a batch of {records}"))
}

fn malformed(what: String) -> Result<(), Fault> {
    Err(Fault::Malformed(what))
}

// === impl Edit ===

impl Edit {
    fn stands_alone(&self) -> bool {
        matches!(self, Self::Drop | Self::Replace(_) | Self::Reject(_))
    }

    fn undeclared(&self, declared: Effects) -> Option<&'static str> {
        let (allowed, what) = match self {
            Self::Drop => (declared.drop, "dropped a record"),
            Self::SetTopic(_) => (declared.topic, "changed a topic"),
            Self::SetKey(_) => (declared.key, "changed a key"),
            Self::SetValue(_) => (declared.value, "changed a value"),
            Self::SetHeaders(_) | Self::AppendHeader(_) | Self::RemoveHeaders(_) => {
                (declared.headers, "changed headers")
            }
            Self::Replace(_) => (declared.split, "replaced a record"),
            Self::Reject(_) => return None,
        };
        (!allowed).then_some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outgoing, ValueEdits};

    const ALL: Effects = Effects {
        key: true,
        value: true,
        headers: true,
        drop: true,
        split: true,
        topic: true,
    };

    fn edits(edits: Vec<(u32, Edit)>, rows: Vec<u32>, data: &[u8], ends: Vec<u32>, nulls: Vec<u32>) -> Edits {
        Edits {
            edits,
            values: ValueEdits {
                rows,
                values: Column {
                    data: data.to_vec(),
                    ends,
                    nulls,
                },
            },
        }
    }

    #[test]
    fn what_the_contract_allows_passes() {
        let key = Edit::SetKey(None);
        let good = [
            Edits::default(),
            edits(
                vec![
                    (0, key.clone()),
                    (0, Edit::RemoveHeaders("h".into())),
                    (2, Edit::Drop),
                ],
                vec![],
                b"",
                vec![],
                vec![],
            ),
            edits(vec![(1, key)], vec![0, 1, 2], b"abc", vec![1, 1, 3], vec![1]),
        ];
        for edits in good {
            assert_eq!(check(&edits, 3, ALL), Ok(()), "{edits:?}");
        }
    }

    #[test]
    fn what_the_contract_forbids_does_not() {
        let outgoing = Outgoing {
            key: None,
            value: None,
            headers: vec![],
        };
        let bad = [
            edits(vec![(3, Edit::Drop)], vec![], b"", vec![], vec![]),
            edits(
                vec![(1, Edit::Drop), (0, Edit::Drop)],
                vec![],
                b"",
                vec![],
                vec![],
            ),
            edits(
                vec![(1, Edit::Drop), (1, Edit::Drop)],
                vec![],
                b"",
                vec![],
                vec![],
            ),
            edits(
                vec![(1, Edit::SetKey(None)), (1, Edit::Reject("r".into()))],
                vec![],
                b"",
                vec![],
                vec![],
            ),
            edits(
                vec![(1, Edit::Replace(vec![outgoing])), (1, Edit::SetKey(None))],
                vec![],
                b"",
                vec![],
                vec![],
            ),
            edits(vec![(1, Edit::Replace(vec![]))], vec![], b"", vec![], vec![]),
            edits(vec![(1, Edit::SetValue(None))], vec![1], b"", vec![0], vec![]),
            edits(
                vec![(1, Edit::SetKey(None)), (2, Edit::Drop)],
                vec![2],
                b"",
                vec![0],
                vec![],
            ),
            edits(vec![], vec![3], b"", vec![0], vec![]),
            edits(vec![], vec![1, 0], b"", vec![0, 0], vec![]),
            edits(vec![], vec![1, 1], b"", vec![0, 0], vec![]),
            edits(vec![], vec![1], b"", vec![0, 0], vec![]),
            edits(vec![], vec![], b"", vec![0], vec![]),
            edits(vec![], vec![0, 1], b"ab", vec![2, 1], vec![]),
            edits(vec![], vec![0], b"ab", vec![1], vec![]),
            edits(vec![], vec![0], b"ab", vec![3], vec![]),
            edits(vec![], vec![0], b"", vec![0], vec![1]),
            edits(vec![], vec![0, 1], b"", vec![0, 0], vec![1, 0]),
            edits(vec![], vec![0], b"a", vec![1], vec![0]),
        ];
        for edits in bad {
            assert!(
                matches!(check(&edits, 3, ALL), Err(Fault::Malformed(_))),
                "{edits:?}"
            );
        }
    }

    #[test]
    fn only_declared_effects_pass_and_reject_needs_none() {
        let none = Effects::default();
        assert_eq!(
            check(
                &edits(vec![(0, Edit::Reject("r".into()))], vec![], b"", vec![], vec![]),
                1,
                none
            ),
            Ok(())
        );
        for edit in [
            Edit::Drop,
            Edit::SetTopic("t".into()),
            Edit::SetValue(None),
            Edit::RemoveHeaders("h".into()),
        ] {
            let fault = check(&edits(vec![(0, edit)], vec![], b"", vec![], vec![]), 1, none);
            assert!(matches!(fault, Err(Fault::Undeclared(_))));
        }
        let fault = check(&edits(vec![], vec![0], b"a", vec![1], vec![]), 1, none);
        assert_eq!(fault, Err(Fault::Undeclared("changed values")));
    }

    #[test]
    fn an_edit_taken_back_leaves_the_others() {
        let mut edits = edits(
            vec![(1, Edit::SetKey(None))],
            vec![0, 1, 2, 4],
            b"aabbcc",
            vec![2, 4, 4, 6],
            vec![2],
        );
        edits.remove(1);
        assert!(edits.edits.is_empty());
        assert_eq!(edits.values.rows, [0, 2, 4]);
        assert_eq!(
            edits.values.values.iter().collect::<Vec<_>>(),
            [Some(&b"aa"[..]), None, Some(b"cc")]
        );
        assert_eq!(check(&edits, 5, ALL), Ok(()));
    }
}

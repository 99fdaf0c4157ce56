//! What the map of a partition takes, in memory and stored, over a month.

use super::*;

/// Begun anew, with nothing stored.
fn plan() -> Plan {
    let anchor = Anchor {
        producer: 1,
        epoch: 0,
        sequence: 0,
        offset: Offset(40),
    };
    let mut runs = Runs::default();
    runs.note(Offset(7), Offset(40));
    Plan::new(anchor, runs, Offset(40), false)
}

#[test]
fn a_partition_without_records_is_stored_once() {
    let mut plan = plan();
    assert!(plan.has_unstored());
    let planned = plan.planned();
    plan.stored(planned, 0);
    assert!(!plan.has_unstored());
}

#[test]
fn what_is_planned_while_a_row_is_written_is_not_in_it() {
    let mut plan = plan();
    let planned = plan.planned();
    plan.note(Offset(9), Offset(40));
    plan.stored(planned, 0);
    assert!(plan.has_unstored() && !plan.is_stored_up_to(Offset(41)));
    let planned = plan.planned();
    plan.stored(planned, 0);
    assert!(plan.is_stored_up_to(Offset(41)));
}

/// A month of a commit a second in a partition: each leaves a marker on the source, so each begins a run. Rows are stored every 400 ms at most, so after each.
#[test]
fn a_month_of_transactions_is_bounded_in_memory_and_four_bytes_a_run_where_it_is_stored() {
    const COMMITS: i64 = 30 * 24 * 3600;
    let anchor = Anchor {
        producer: 1,
        epoch: 0,
        sequence: 0,
        offset: Offset(0),
    };
    let mut plan = Plan::new(anchor, Runs::default(), Offset(0), true);
    let (mut source, mut target) = (0, 0);
    let (mut most_runs, mut longest_row, mut chunks, mut chunked) = (0, 0, 0u64, 0);
    for commit in 0..COMMITS {
        // 1 to 500 records, as by chance.
        let records = 1 + (commit.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64) as u64 >> 40) as i64 % 500;
        plan.note(Offset(source), Offset(target));
        (source, target) = (source + records + 1, target + records);
        plan.next = Offset(target);
        most_runs = most_runs.max(plan.runs.len());
        let (planned, sealed) = (plan.planned(), plan.to_seal(Offset(target)));
        if sealed > 0 {
            let chunk: Runs = plan.runs.iter().take(sealed + 1).collect();
            chunks += 1;
            chunked += chunk.encode().len();
        }
        if commit % 997 == 0 || sealed > 0 {
            let row: Runs = plan.runs.iter().skip(sealed).collect();
            longest_row = longest_row.max(row.encode().len());
        }
        plan.stored(planned, sealed);
    }
    println!(
        "{COMMITS} runs: at most {most_runs} in memory ({} bytes), {longest_row} bytes in the longest row, {chunked} bytes in {chunks} chunks",
        most_runs * size_of::<Run>()
    );
    assert!(most_runs <= 2 * KEPT + 1, "{most_runs} runs in memory");
    assert!(longest_row <= 4 * (2 * KEPT + 2), "{longest_row} bytes in a row");
    assert!(chunked as i64 <= 4 * COMMITS, "{chunked} bytes in chunks");
}

use std::cell::Cell;

use towpath_plugin_host::{Broken, Cause};

use super::*;

fn errors(tolerance: Tolerance) -> Errors {
    Errors {
        tolerance,
        retry_timeout: Some(Duration::ZERO),
        retry_delay_max: Duration::from_millis(1),
        log: false,
        dead_letters: None,
    }
}

fn broken() -> CallError {
    CallError::from(Broken {
        plugin: "p".to_owned(),
        version: "1.0.0".to_owned(),
        digest: "d".repeat(64),
        call: "transform",
        cause: Cause::Deadline(Duration::from_secs(1)),
        backtrace: Vec::new(),
    })
}

/// Breaks on every call that has one of these rows.
fn breaks_on<'a>(bad: &'a [u32]) -> impl FnMut(&[u32]) -> Result<Vec<u32>, CallError> + 'a {
    move |rows| match rows.iter().any(|row| bad.contains(row)) {
        true => Err(broken()),
        false => Ok(rows.to_vec()),
    }
}

#[test]
fn all_but_the_records_it_breaks_on_have_their_answer_in_order() {
    let rows: Vec<u32> = (0..100).collect();
    for bad in [&[][..], &[0], &[99], &[50], &[0, 1, 2, 98, 99]] {
        let pieces = ask(&errors(Tolerance::All), &rows, breaks_on(bad));
        let seen: Vec<u32> = pieces.iter().flat_map(|(rows, _)| rows.iter().copied()).collect();
        assert_eq!(seen, rows, "every row once, in order");
        let troubled: Vec<u32> = pieces
            .iter()
            .filter(|(_, result)| result.is_err())
            .flat_map(|(rows, _)| rows.iter().copied())
            .collect();
        assert_eq!(troubled, bad);
    }
}

#[test]
fn a_pipeline_that_tolerates_nothing_stops_at_the_first_such_record() {
    let rows: Vec<u32> = (0..100).collect();
    let pieces = ask(&errors(Tolerance::None), &rows, breaks_on(&[33, 60]));
    let (last, result) = pieces.last().unwrap();
    assert_eq!(*last, [33]);
    assert_eq!(result.as_ref().unwrap_err().kind, Kind::Broken);
    let before: usize = pieces[..pieces.len() - 1]
        .iter()
        .map(|(rows, _)| rows.len())
        .sum();
    assert_eq!(before, 33);
}

#[test]
fn what_breaks_once_is_asked_again_before_anything_is_concluded() {
    let calls = Cell::new(0);
    let pieces = ask(&errors(Tolerance::None), &[0, 1, 2], |rows| {
        calls.set(calls.get() + 1);
        if calls.get() == 1 {
            return Err(broken());
        }
        Ok(rows.len())
    });
    assert_eq!(calls.get(), 2);
    assert!(matches!(pieces[..], [(_, Ok(3))]));
}

#[test]
fn a_failure_is_of_the_whole_call_and_is_asked_again_only_when_the_plugin_says_so() {
    for (retriable, expected) in [(false, 1), (true, 4)] {
        let calls = Cell::new(0);
        let patient = Errors {
            retry_timeout: None,
            ..errors(Tolerance::All)
        };
        let pieces = ask(&patient, &[0, 1, 2], |rows| {
            calls.set(calls.get() + 1);
            if calls.get() < 4 {
                return Err(CallError::Failure {
                    message: "not now".to_owned(),
                    retriable,
                });
            }
            Ok(rows.len())
        });
        assert_eq!(calls.get(), expected);
        assert_eq!(pieces.len(), 1, "not halved");
        assert_eq!(pieces[0].1.is_ok(), retriable);
    }
}

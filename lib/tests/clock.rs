//! Processing time, as the operators use it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use highwater_core::stream::{Operator as _, Output};
use highwater_core::time::Timestamp;

const SQL: &str = "SELECT window, count(*) AS n FROM t GROUP BY window(timestamp, '5 seconds')";
const RECORD: &[u8] = br#"{"timestamp":"2025-01-01T00:00:01Z"}"#;

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[test]
fn silence_without_a_watermark_is_explained_once() {
    // 100s    103s                108s
    //  record  record (silence) ... message
    let said = Rc::new(RefCell::new(0));
    let count = Rc::clone(&said);
    let mut out = Output::new(
        Box::new(io::sink()),
        Box::new(move |text| {
            assert!(text.starts_with("rows come at the end of input"), "{text}");
            *count.borrow_mut() += 1;
        }),
    );
    let mut window = support::window(&[SQL]);
    assert_eq!(window.wakes_at(), None, "no window is open");
    window.on_clock(at(100), &mut out).unwrap();
    support::feed(&mut window, &[RECORD], &mut out);
    assert_eq!(window.wakes_at(), Some(at(105)));
    window.on_clock(at(103), &mut out).unwrap();
    support::feed(&mut window, &[RECORD], &mut out);
    assert_eq!((window.wakes_at(), *said.borrow()), (Some(at(108)), 0));
    window.on_clock(at(108), &mut out).unwrap();
    assert_eq!((window.wakes_at(), *said.borrow()), (None, 1));
    window.on_clock(at(200), &mut out).unwrap();
    assert_eq!(*said.borrow(), 1);
}

#[test]
fn silence_with_a_watermark_needs_no_words() {
    let sql = SQL.replace("FROM t", "FROM t WATERMARK timestamp DELAY OF INTERVAL 1 SECONDS");
    let mut window = support::window(&[&sql]);
    let mut out = Output::in_memory();
    window.on_clock(at(100), &mut out).unwrap();
    support::feed(&mut window, &[RECORD], &mut out);
    assert_eq!(window.wakes_at(), None);
}

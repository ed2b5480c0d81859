//! Cut and resume: a stream that is cut at any line, its operator's state
//! written down and taken on by a fresh operator, goes on with the same bytes.
//! Every operator is here, and with it every piece of state.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::fmt::Write as _;

use highwater_core::detect::{Detect, REFERENCE, select_rules};
use highwater_core::prometheus::{ExportProm, Options as PromOptions};
use highwater_core::stage::{Format, Ingest, Parse};
use highwater_core::stream::{Operator, Output};
use proptest::prelude::*;
use support::{feed, restored, rows, window};

/// The rows of a run that is cut in front of line `cut`.
fn resumed<O: Operator>(make: impl Fn() -> O, lines: &[&[u8]], cut: usize) -> String {
    let mut out = Output::in_memory();
    let mut first = make();
    feed(&mut first, &lines[..cut], &mut out);
    let mut second = restored(&first, make());
    drop(first);
    feed(&mut second, &lines[cut..], &mut out);
    second.on_end(&mut out).unwrap();
    String::from_utf8(out.rows().to_vec()).unwrap()
}

fn check<O: Operator>(
    make: impl Fn() -> O,
    input: &str,
    cut: prop::sample::Index,
) -> Result<(), TestCaseError> {
    let lines: Vec<&[u8]> = input.lines().map(str::as_bytes).collect();
    let cut = cut.index(lines.len() + 1);
    prop_assert_eq!(resumed(&make, &lines, cut), rows(&mut make(), input.as_bytes()));
    Ok(())
}

fn logs() -> impl Strategy<Value = String> {
    let record = (
        -400_i64..800,
        0_u8..4,
        0_u8..9,
        proptest::option::of(0_u32..5_000),
        prop_oneof![Just(200), Just(404), Just(503)],
    );
    proptest::collection::vec(record, 0..120).prop_map(|records| {
        let mut base = 1_757_635_200;
        let mut input = String::new();
        for (step, service, user, milliseconds, status) in records {
            base += 7;
            let time = base + step / 4;
            let response =
                milliseconds.map_or("null".to_owned(), |ms| format!("{}", f64::from(ms) / 1e3));
            let _ = writeln!(
                input,
                "{{\"timestamp\":{time},\"service\":\"s{service}\",\"ip_address\":\"192.0.2.{service}\",\
                 \"user_id\":\"u{user}\",\"action\":\"a{service}\",\"value\":{status}.5,\
                 \"response_time\":{response},\"status_code\":{status}}}"
            );
        }
        input
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn window_resumes(input in logs(), cut in any::<prop::sample::Index>()) {
        check(|| window(&["log-analysis"]), &input, cut)?;
        let events = [
            "user_events",
            "events_user_activity",
            "action_metrics",
            "user_burst",
            "watermarked_counts",
            "user_latest",
        ];
        check(|| window(&events), &input, cut)?;
        // Totals without windows.
        check(|| window(&["late_alert"]), &input, cut)?;
    }

    #[test]
    fn stateless_stages_resume(input in logs(), cut in any::<prop::sample::Index>()) {
        check(Ingest::default, &input, cut)?;
        check(|| Parse::new(Format::Auto), &input, cut)?;
    }

    #[test]
    fn detect_and_export_resume(input in logs(), cut in any::<prop::sample::Index>()) {
        let windowed = rows(&mut window(&["log-analysis", "user_burst"]), input.as_bytes());
        let detect = || Detect::new(select_rules(&REFERENCE).unwrap(), "timestamp").with_pass_through(true);
        check(detect, &windowed, cut)?;
        let alerts = rows(&mut detect(), windowed.as_bytes());
        check(|| ExportProm::new(PromOptions::default(), Vec::new()), &alerts, cut)?;
    }
}

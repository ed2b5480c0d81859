//! The tests of rules that look at the rows before, as functions of numbers.
//!
//! Each says whether there is an alert, and only then writes a [`Finding`].

use std::fmt::Write as _;

use super::alert::{Finding, Short};
use super::detector::Score;
use super::history::{History, Moments};
use crate::line::json;

/// Tests the z-score of `value` among the rows before.
pub(super) fn deviation(
    field: &str,
    value: f64,
    history: &History,
    threshold: f64,
    finding: &mut Finding,
) -> bool {
    let moments = Moments::of(history.before().flatten());
    let Some(z) = moments.z_score(value).filter(|z| z.abs() > threshold) else { return false };
    let side = if z > 0.0 { "above" } else { "below" };
    begin(field, Some(moments.mean), z, finding);
    finding.count = Some(moments.count as u64);
    let _ = write!(
        finding.reason,
        "{field} {} is {} deviations {side} the mean {} of the {} rows before (deviation {}), \
         limit {}",
        Short(value),
        Short(z.abs()),
        Short(moments.mean),
        moments.count,
        Short(moments.deviation.unwrap_or_default()),
        Short(threshold),
    );
    true
}

/// Tests how far `value` has risen above the row before.
pub(super) fn rise(
    field: &str,
    value: f64,
    history: &History,
    change: f64,
    finding: &mut Finding,
) -> bool {
    let Some(before) = history.before().next_back().flatten() else { return false };
    let score = value - before;
    if score <= change {
        return false;
    }
    begin(field, Some(before), score, finding);
    let _ = write!(
        finding.reason,
        "{field} {} is {} points above the window before ({}), limit {}",
        Short(value),
        Short(score),
        Short(before),
        Short(change),
    );
    true
}

/// Writes down what a detector says of `value`.
pub(super) fn detector(
    field: &str,
    value: f64,
    score: &Score,
    threshold: f64,
    finding: &mut Finding,
) {
    begin(field, score.expected(), score.level, finding);
    finding.count = Some(score.count.saturating_sub(1));
    let _ = write!(
        finding.reason,
        "{field} {} is {}, limit {}",
        Short(value),
        score.evidence,
        Short(threshold)
    );
}

fn begin(field: &str, expected: Option<f64>, score: f64, finding: &mut Finding) {
    finding.clear();
    finding.field.push_str(field);
    if let Some(expected) = expected {
        json::write_double(expected, &mut finding.expected);
    }
    finding.score = Some(score);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history with a newest row of no value.
    fn after(values: &[Option<f64>]) -> History {
        let mut history = History::default();
        for value in values {
            history.advance(None, 10);
            history.set(*value);
        }
        history.advance(None, 10);
        history
    }

    #[test]
    fn z_scores_alert_on_both_sides_of_a_deviating_past() {
        let (one, two, three) = (Some(1.0), Some(2.0), Some(3.0));
        for (before, value, score) in [
            (&[][..], 9.0, None),
            (&[one][..], 9.0, None),
            (&[one, None][..], 9.0, None),
            (&[one, one, one][..], 9.0, None),
            (&[one, two, three][..], 4.0, None),
            (&[one, two, three][..], 4.5, Some(2.5)),
            (&[one, None, two, three][..], 4.5, Some(2.5)),
            (&[one, two, three][..], -1.0, Some(-3.0)),
        ] {
            let mut finding = Finding::default();
            let is_alert = deviation("x", value, &after(before), 2.0, &mut finding);
            assert_eq!(finding.score, score, "{value} after {before:?}");
            assert_eq!(is_alert, score.is_some());
        }
    }

    #[test]
    fn only_rises_alert() {
        for (before, value, score) in [
            (&[][..], 99.0, None),
            (&[Some(4.1)][..], 31.2, Some(31.2 - 4.1)),
            (&[Some(4.0)][..], 14.0, None),
            (&[Some(40.0)][..], 4.0, None),
            (&[Some(4.0), None][..], 99.0, None),
        ] {
            let mut finding = Finding::default();
            let is_alert = rise("x", value, &after(before), 10.0, &mut finding);
            assert_eq!(finding.score, score, "{value} after {before:?}");
            assert_eq!(is_alert, score.is_some());
        }
    }
}

//! The tests of rules, as functions of numbers.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::alert::Short;
use super::history::Moments;
use super::rule::{Limit, Side};

/// What makes an alert: the numbers of it. The words go to a `reason` that the
/// caller lends, and mean something only if there is an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    /// What the value was compared with.
    pub(super) expected: f64,
    /// How far it is off.
    pub(super) score: f64,
}

/// Tests the z-score of `value` among the rows before.
pub(super) fn deviation(
    field: &str,
    value: f64,
    before: &VecDeque<f64>,
    threshold: f64,
    reason: &mut String,
) -> Option<Verdict> {
    let moments = Moments::of(before);
    let z = moments.z_score(value).filter(|z| z.abs() > threshold)?;
    let side = if z > 0.0 { "above" } else { "below" };
    reason.clear();
    let _ = write!(
        reason,
        "{field} {} is {} deviations {side} the mean {} of the {} rows before (deviation {}), \
         limit {}",
        Short(value),
        Short(z.abs()),
        Short(moments.mean),
        moments.count,
        Short(moments.deviation.unwrap_or_default()),
        Short(threshold),
    );
    Some(Verdict { expected: moments.mean, score: z })
}

/// Tests how far `value` has risen above the row before.
pub(super) fn rise(
    field: &str,
    value: f64,
    before: &VecDeque<f64>,
    change: f64,
    reason: &mut String,
) -> Option<Verdict> {
    let expected = *before.back()?;
    let score = value - expected;
    if score <= change {
        return None;
    }
    reason.clear();
    let _ = write!(
        reason,
        "{field} {} is {} points above the window before ({}), limit {}",
        Short(value),
        Short(score),
        Short(expected),
        Short(change),
    );
    Some(Verdict { expected, score })
}

/// Tests the numbers of a row, one for each of `limits`.
pub(super) fn limits(limits: &[Limit], numbers: &[f64], reason: &mut String) -> Option<Verdict> {
    let (first, number) = (limits.first()?, numbers.first()?);
    if !limits.iter().zip(numbers).all(|(limit, number)| limit.is_passed_by(*number)) {
        return None;
    }
    reason.clear();
    for (index, (Limit { measure, side, bound }, number)) in limits.iter().zip(numbers).enumerate()
    {
        let and = if index == 0 { "" } else { " and " };
        let side = match side {
            Side::Over => "over",
            Side::Under => "under",
        };
        let (number, bound) = (Short(*number), Short(*bound));
        let _ = write!(reason, "{and}{measure} {number} is {side} {bound}");
    }
    Some(Verdict { expected: first.bound, score: number / first.bound })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::rule::Measure;

    #[test]
    fn z_scores_alert_on_both_sides_of_a_deviating_past() {
        for (before, value, score) in [
            (&[][..], 9.0, None),
            (&[1.0][..], 9.0, None),
            (&[1.0, 1.0, 1.0][..], 9.0, None),
            (&[1.0, 2.0, 3.0][..], 4.0, None),
            (&[1.0, 2.0, 3.0][..], 4.5, Some(2.5)),
            (&[1.0, 2.0, 3.0][..], -1.0, Some(-3.0)),
        ] {
            let (before, mut reason) = (before.iter().copied().collect(), String::new());
            let verdict = deviation("x", value, &before, 2.0, &mut reason);
            assert_eq!(verdict.map(|verdict| verdict.score), score, "{value} after {before:?}");
            assert_eq!(verdict.is_some(), !reason.is_empty());
        }
    }

    #[test]
    fn only_rises_alert() {
        for (before, value, score) in [
            (&[][..], 99.0, None),
            (&[4.1][..], 31.2, Some(31.2 - 4.1)),
            (&[4.0][..], 14.0, None),
            (&[40.0][..], 4.0, None),
        ] {
            let before = before.iter().copied().collect();
            let verdict = rise("x", value, &before, 10.0, &mut String::new());
            assert_eq!(verdict.map(|verdict| verdict.score), score, "{value} after {before:?}");
        }
    }

    #[test]
    fn all_limits_must_be_passed() {
        let field = |name: &str| Measure::Field(name.into());
        let rule = [Limit::over(field("a"), 100.0), Limit::under(field("b"), 5.0)];
        for (numbers, score) in
            [([150.0, 4.0], Some(1.5)), ([150.0, 5.0], None), ([100.0, 4.0], None)]
        {
            let mut reason = String::new();
            let verdict = limits(&rule, &numbers, &mut reason);
            assert_eq!(verdict.map(|verdict| verdict.score), score, "{numbers:?}");
            if score.is_some() {
                assert_eq!(reason, "a 150 is over 100 and b 4 is under 5");
            }
        }
    }
}

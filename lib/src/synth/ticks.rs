//! Evenly spaced instants.

use super::quantity::Rate;

/// The instants `start + floor(i × step)` for i = 0, 1, 2 …, in milliseconds,
/// where the step is a fraction: no error adds up, however long the stream.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    /// The present instant, in milliseconds since the epoch.
    now: i64,
    /// Whole milliseconds of a step, and the rest as `part / parts`.
    whole: i64,
    part: u64,
    parts: u64,
    /// How far the present instant has been rounded down, in `1 / parts` ms.
    carried: u64,
}

/// Milliseconds in a million seconds.
const MILLIS_PER_MILLION_SECONDS: u64 = 1_000_000_000;

impl Ticks {
    /// Instants at a rate, from `start` (milliseconds since the epoch).
    pub(super) fn at_rate(start: i64, rate: Rate) -> Self {
        Self::every(start, MILLIS_PER_MILLION_SECONDS, rate.per_million_seconds)
    }

    /// `parts` instants in each `millis` milliseconds; `parts` is not 0.
    pub(super) fn every(start: i64, millis: u64, parts: u64) -> Self {
        Self { now: start, whole: (millis / parts) as i64, part: millis % parts, parts, carried: 0 }
    }

    #[inline]
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    #[inline]
    pub(super) fn advance(&mut self) {
        self.now += self.whole;
        self.carried += self.part;
        if self.carried >= self.parts {
            self.carried -= self.parts;
            self.now += 1;
        }
    }
}

/// Milliseconds from the first instant at `rate` to the one after `steps`, or
/// `None` if that exceeds 64 bits.
pub(super) fn millis_of(steps: u64, rate: Rate) -> Option<i64> {
    let millis = u128::from(steps) * u128::from(MILLIS_PER_MILLION_SECONDS)
        / u128::from(rate.per_million_seconds);
    i64::try_from(millis).ok()
}

/// How many instants at `rate` lie within the first `micros` microseconds,
/// its end excluded; `None` if that exceeds 64 bits.
pub(super) fn count_within(micros: u64, rate: Rate) -> Option<u64> {
    let count =
        (u128::from(micros) * u128::from(rate.per_million_seconds)).div_ceil(1_000_000 * 1_000_000);
    u64::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_adds_up() {
        for rate in ["50", "3", "0.7", "1234.567891", "2500000"] {
            let rate: Rate = rate.parse().unwrap();
            let mut ticks = Ticks::at_rate(-5_000, rate);
            for i in 0..100_000 {
                assert_eq!(ticks.now(), -5_000 + millis_of(i, rate).unwrap(), "{rate}, {i}");
                ticks.advance();
            }
        }
    }

    #[test]
    fn instants_within_a_duration() {
        for (micros, rate, count) in [
            (1_000_000, "50", 50),
            (1_000_001, "50", 51),
            (1, "50", 1),
            (7_200_000_000, "0.5", 3_600),
            (1_000_000, "0.3", 1),
        ] {
            assert_eq!(count_within(micros, rate.parse().unwrap()), Some(count), "{micros} {rate}");
        }
    }
}

//! Rates and shares, read exactly: both are whole millionths inside.

use std::fmt;
use std::str::FromStr;

use crate::time::TimeDelta;

/// A part of a whole, from nothing to all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    pub(super) millionths: u32,
}

/// Why a share such as `2%` was rejected; holds the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no share between 0 and 1; write it like 2% or 0.02")]
pub struct ParseShareError(String);

/// A number of records a second of event time; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// Records in a million seconds.
    pub(super) per_million_seconds: u64,
}

/// Why a rate such as `50` was rejected; holds the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate; write records a second, from 0.000001 to 1000000000, like 50 or 0.5")]
pub struct ParseRateError(String);

const MILLION: u64 = 1_000_000;

impl Share {
    pub(super) const ALL: Self = Self::from_millionths(1_000_000);

    pub(super) const fn from_millionths(millionths: u32) -> Self {
        Self { millionths }
    }

    /// The share as a number from 0.0 to 1.0.
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }

    /// This part of a span of time.
    pub(super) fn of(self, whole: TimeDelta) -> TimeDelta {
        let part = i128::from(whole.micros) * i128::from(self.millionths) / i128::from(MILLION);
        // A part of what fits into 64 bits does so too.
        TimeDelta::from_micros(part as i64)
    }
}

impl FromStr for Share {
    type Err = ParseShareError;

    /// Reads a percentage (`2%`, `0.5%`) or a fraction (`0.02`), down to a
    /// millionth.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let millionths = match text.strip_suffix('%') {
            Some(percent) => {
                millionths(percent.trim_end()).filter(|m| m % 100 == 0).map(|m| m / 100)
            }
            None => millionths(text),
        };
        millionths
            .filter(|m| *m <= MILLION)
            .map(|m| Self::from_millionths(m as u32))
            .ok_or_else(|| ParseShareError(text.to_owned()))
    }
}

impl Rate {
    pub(super) const fn per_second(number: u64) -> Self {
        Self { per_million_seconds: number * MILLION }
    }
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        millionths(text)
            .filter(|m| (1..=1_000_000_000 * MILLION).contains(m))
            .map(|per_million_seconds| Self { per_million_seconds })
            .ok_or_else(|| ParseRateError(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) =
            (self.per_million_seconds / MILLION, self.per_million_seconds % MILLION);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{rest:06}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// A plain decimal number times a million, or `None` if it is none, has more
/// than six decimals, or does not fit.
fn millionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let scale = 10_u64.pow(6 - fraction.len() as u32);
    let fraction = fraction.parse::<u64>().ok()? * scale;
    whole.parse::<u64>().ok()?.checked_mul(MILLION)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (text, millionths) in [
            ("2%", Some(20_000)),
            ("0.02", Some(20_000)),
            ("0.0001%", Some(1)),
            ("100%", Some(1_000_000)),
            ("1", Some(1_000_000)),
            ("0", Some(0)),
            ("2", None),
            ("101%", None),
            ("-1%", None),
            ("0.00001%", None),
            ("%", None),
            ("", None),
            (".5", None),
            ("1e-2", None),
        ] {
            assert_eq!(text.parse::<Share>().ok().map(|s| s.millionths), millionths, "{text:?}");
        }
    }

    #[test]
    fn rates() {
        for (text, printed) in
            [("50", "50"), ("0.5", "0.5"), ("33.250", "33.25"), ("0.000001", "0.000001")]
        {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), printed, "{text}");
        }
        for text in
            ["0", "-1", "", "fast", "1/s", "1e3", "inf", "1000000001", "99999999999999999999"]
        {
            assert_eq!(text.parse::<Rate>(), Err(ParseRateError(text.to_owned())), "{text:?}");
        }
    }
}

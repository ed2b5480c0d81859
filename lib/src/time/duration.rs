//! Lengths of time and their spellings: `90s`, `1h30m`, `5 minutes`.

use std::fmt;
use std::str::FromStr;

/// A length of time in whole microseconds; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeDelta {
    /// Microseconds.
    pub micros: i64,
}

/// Why a duration such as `90s` was rejected. Every variant holds the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTimeDeltaError {
    /// There is no number where one belongs.
    #[error("no number in duration {0:?}; write it like 90s, 1h30m or '5 minutes'")]
    NoNumber(String),
    /// The unit is missing, or no known one.
    #[error("no known unit in duration {0:?}; write it like 250ms, 90s, 1h30m, 2d or '5 minutes'")]
    NoUnit(String),
    /// Longer than 292,000 years, or finer than a microsecond.
    #[error("duration {0:?} does not fit: it must be whole microseconds within 290,000 years")]
    OutOfRange(String),
}

/// Spellings of the units, with their length in microseconds.
const UNITS: [(&[&str], i64); 7] = [
    (&["us", "µs", "microsecond", "microseconds"], 1),
    (&["ms", "millisecond", "milliseconds"], 1_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000_000),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000_000),
    (&["d", "day", "days"], 86_400_000_000),
    (&["w", "week", "weeks"], 604_800_000_000),
];

impl TimeDelta {
    /// No time at all.
    pub const ZERO: Self = Self { micros: 0 };

    /// A length given in microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// A length given in whole seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { micros: seconds * 1_000_000 }
    }

    /// The length in seconds.
    pub fn as_seconds(self) -> f64 {
        self.micros as f64 / 1e6
    }

    /// The length as the standard library has it; `None` if it is negative.
    pub fn to_duration(self) -> Option<std::time::Duration> {
        self.micros.try_into().ok().map(std::time::Duration::from_micros)
    }
}

impl FromStr for TimeDelta {
    type Err = ParseTimeDeltaError;

    /// Reads numbers with units, added up, in any case and with or without
    /// blanks: `250ms`, `90s`, `1h30m`, `5 minutes`, `INTERVAL '5' MINUTES`.
    /// A fraction is allowed where it gives whole microseconds (`1.5h`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase();
        let mut rest = lower.strip_prefix("interval").unwrap_or(&lower).trim_start();
        let unquoted;
        if rest.contains('\'') {
            unquoted = rest.replace('\'', " ");
            rest = unquoted.trim_start();
        }
        let negative = rest.starts_with('-');
        rest = rest.trim_start_matches('-').trim_start();
        let mut total: i64 = 0;
        loop {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let tail = tail.trim_start();
            let letters = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            if number.is_empty() {
                return Err(ParseTimeDeltaError::NoNumber(text.to_owned()));
            }
            let Some((_, scale)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
                return Err(ParseTimeDeltaError::NoUnit(text.to_owned()));
            };
            total = scaled(number, *scale)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(|| ParseTimeDeltaError::OutOfRange(text.to_owned()))?;
            rest = tail.trim_start();
            if rest.is_empty() {
                break;
            }
        }
        Ok(Self { micros: if negative { -total } else { total } })
    }
}

/// `number * scale`, or `None` if that is no whole number or too large.
fn scaled(number: &str, scale: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut total = whole.parse::<i64>().ok()?.checked_mul(scale)?;
    let mut unit = scale;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() || unit % 10 != 0 && digit != b'0' {
            return None;
        }
        unit /= 10;
        total = total.checked_add(unit.checked_mul(i64::from(digit - b'0'))?)?;
    }
    Some(total)
}

impl fmt::Display for TimeDelta {
    /// Prints the shortest exact spelling: `1h30m`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.micros.unsigned_abs();
        if self.micros < 0 {
            f.write_str("-")?;
        }
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in [
            ("d", 86_400_000_000),
            ("h", 3_600_000_000),
            ("m", 60_000_000),
            ("s", 1_000_000),
            ("ms", 1_000),
            ("us", 1),
        ] {
            if rest >= scale {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (text, micros, printed) in [
            ("250ms", 250_000, "250ms"),
            ("90s", 90_000_000, "1m30s"),
            ("5m", 300_000_000, "5m"),
            ("1h30m", 5_400_000_000, "1h30m"),
            ("1.5h", 5_400_000_000, "1h30m"),
            ("2d", 172_800_000_000, "2d"),
            ("5 minutes", 300_000_000, "5m"),
            ("INTERVAL 5 MINUTES", 300_000_000, "5m"),
            ("INTERVAL '10' minutes", 600_000_000, "10m"),
            ("1 hour 30 minutes", 5_400_000_000, "1h30m"),
            ("0s", 0, "0s"),
            ("-10s", -10_000_000, "-10s"),
            ("7us", 7, "7us"),
        ] {
            let delta: TimeDelta = text.parse().unwrap();
            assert_eq!(delta.micros, micros, "{text}");
            assert_eq!(delta.to_string(), printed, "{text}");
            assert_eq!(printed.parse::<TimeDelta>().unwrap(), delta, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("", ParseTimeDeltaError::NoNumber(String::new())),
            ("5", ParseTimeDeltaError::NoUnit("5".into())),
            ("5 parsecs", ParseTimeDeltaError::NoUnit("5 parsecs".into())),
            ("5m x", ParseTimeDeltaError::NoNumber("5m x".into())),
            ("0.0000001s", ParseTimeDeltaError::OutOfRange("0.0000001s".into())),
            ("999999999999999w", ParseTimeDeltaError::OutOfRange("999999999999999w".into())),
        ] {
            assert_eq!(text.parse::<TimeDelta>(), Err(expected), "{text:?}");
        }
    }
}

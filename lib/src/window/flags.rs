//! The options of a run as they are written on the command line.

use std::str::FromStr;

use super::options::{AdaptiveDelay, Trigger, WatermarkPer};
use crate::time::{ParseTimeDeltaError, TimeDelta};

/// Why a delay such as `adaptive:p99,max=10m` was rejected. Every variant
/// holds the input, or the part at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAdaptiveDelayError {
    /// It does not begin with `adaptive:`.
    #[error("no measured delay: {0:?}; write it like adaptive:p99,min=1s,max=10m")]
    NotAdaptive(String),
    /// The quantile is none, or not within p50 and p99.9.
    #[error("no quantile from p50 to p99.9: {0:?}; write it like p99, p99.5 or 0.99")]
    Quantile(String),
    /// Something other than `min=` and `max=`.
    #[error("unknown part {0:?} of a measured delay; min=1s and max=10m are what there is")]
    Part(String),
    /// A bound that is no length of time.
    #[error("bad bound {0:?} of a measured delay")]
    Bound(String, #[source] ParseTimeDeltaError),
    /// A bound below zero, or a least delay over the greatest.
    #[error("bad bounds of {0:?}: 0s, min and max must be in this order")]
    Order(String),
}

impl FromStr for AdaptiveDelay {
    type Err = ParseAdaptiveDelayError;

    /// Reads `adaptive:p99`, with `,min=1s` and `,max=10m` behind it if wanted;
    /// the quantile may also be written `0.99`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_adaptive = || ParseAdaptiveDelayError::NotAdaptive(text.to_owned());
        let parts = text.trim().strip_prefix("adaptive:").ok_or_else(not_adaptive)?;
        let mut parts = parts.split(',').map(str::trim);
        let quantile = parts.next().unwrap_or_default();
        let quantile = read_quantile(quantile)
            .ok_or_else(|| ParseAdaptiveDelayError::Quantile(quantile.to_owned()))?;
        let mut delay = Self { quantile, min: TimeDelta::ZERO, max: None };
        for part in parts {
            let bound = |text: &str| {
                text.parse::<TimeDelta>()
                    .map_err(|error| ParseAdaptiveDelayError::Bound(part.to_owned(), error))
            };
            match part.split_once('=') {
                Some(("min", min)) => delay.min = bound(min)?,
                Some(("max", max)) => delay.max = Some(bound(max)?),
                _ => return Err(ParseAdaptiveDelayError::Part(part.to_owned())),
            }
        }
        if delay.min < TimeDelta::ZERO || delay.max.is_some_and(|max| max < delay.min) {
            return Err(ParseAdaptiveDelayError::Order(text.to_owned()));
        }
        Ok(delay)
    }
}

/// Reads `p99.9` or `0.999`.
fn read_quantile(text: &str) -> Option<f64> {
    let (digits, exponent) = match text.strip_prefix('p') {
        // Read as 99.9e-2, which is the double nearest to 0.999; a division
        // by 100 need not give it.
        Some(percent) => (percent, "e-2"),
        None => (text, ""),
    };
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let quantile: f64 = format!("{digits}{exponent}").parse().ok()?;
    (is_plain && (0.5..=0.999).contains(&quantile)).then_some(quantile)
}

/// Why a field such as `@source.partition:3` was rejected. Every variant holds
/// the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseWatermarkPerError {
    /// There is no field.
    #[error("no field in {0:?}; write it like @source.partition or @source.partition:3")]
    NoField(String),
    /// The number of values is zero or too large.
    #[error("bad number of values in {0:?}: it must be at least 1, and fit")]
    Values(String),
}

impl FromStr for WatermarkPer {
    type Err = ParseWatermarkPerError;

    /// Reads a field, and behind its last colon the number of values, if
    /// nothing but digits stands there.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = |(_, tail): &(&str, &str)| {
            !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_digit())
        };
        let (field, values) = match text.rsplit_once(':').filter(is_number) {
            Some((field, values)) => (field, Some(values)),
            None => (text, None),
        };
        if field.is_empty() {
            return Err(ParseWatermarkPerError::NoField(text.to_owned()));
        }
        let bad = || ParseWatermarkPerError::Values(text.to_owned());
        let number = |values: &str| {
            values.parse::<usize>().ok().filter(|number| *number > 0).ok_or_else(bad)
        };
        Ok(Self { field: field.to_owned(), values: values.map(number).transpose()? })
    }
}

/// Why a trigger such as `10s` or `count:1000` was rejected. Every variant
/// holds the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTriggerError {
    /// What is behind `count:` is no number from 1.
    #[error("bad trigger {0:?}: write a number of records from 1, like count:1000")]
    Count(String),
    /// No length of time.
    #[error("bad trigger {0:?}: write a length of time like 10s, or count:1000")]
    Every(String, #[source] ParseTimeDeltaError),
    /// No time at all, or less.
    #[error("bad trigger {0:?}: it must be longer than 0s")]
    NotPositive(String),
}

impl FromStr for Trigger {
    type Err = ParseTriggerError;

    /// Reads a length of time, or `count:` and a number of records.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(count) = text.trim().strip_prefix("count:") {
            let count = count.parse::<u64>().ok().filter(|count| *count > 0);
            return count.map(Self::Count).ok_or_else(|| ParseTriggerError::Count(text.to_owned()));
        }
        let every = text.parse::<TimeDelta>();
        match every.map_err(|error| ParseTriggerError::Every(text.to_owned(), error))? {
            every if every > TimeDelta::ZERO => Ok(Self::Every(every)),
            _ => Err(ParseTriggerError::NotPositive(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_delays() {
        let seconds = TimeDelta::from_seconds;
        for (text, quantile, min, max) in [
            ("adaptive:p99", 0.99, 0, None),
            ("adaptive:0.99", 0.99, 0, None),
            ("adaptive:p50,min=1s", 0.5, 1, None),
            ("adaptive:p99.9,max=10m", 0.999, 0, Some(600)),
            ("adaptive:p99, min=1s, max=1s", 0.99, 1, Some(1)),
        ] {
            let expected = AdaptiveDelay { quantile, min: seconds(min), max: max.map(seconds) };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        let no_unit = || ParseTimeDeltaError::NoUnit("5".to_owned());
        for (text, error) in [
            ("adaptive", ParseAdaptiveDelayError::NotAdaptive("adaptive".into())),
            ("p99", ParseAdaptiveDelayError::NotAdaptive("p99".into())),
            ("adaptive:", ParseAdaptiveDelayError::Quantile(String::new())),
            ("adaptive:p100", ParseAdaptiveDelayError::Quantile("p100".into())),
            ("adaptive:p99.95", ParseAdaptiveDelayError::Quantile("p99.95".into())),
            ("adaptive:99", ParseAdaptiveDelayError::Quantile("99".into())),
            ("adaptive:p49", ParseAdaptiveDelayError::Quantile("p49".into())),
            ("adaptive:p9e1", ParseAdaptiveDelayError::Quantile("p9e1".into())),
            ("adaptive:max=10m", ParseAdaptiveDelayError::Quantile("max=10m".into())),
            ("adaptive:p99,10m", ParseAdaptiveDelayError::Part("10m".into())),
            ("adaptive:p99,", ParseAdaptiveDelayError::Part(String::new())),
            ("adaptive:p99,min=5", ParseAdaptiveDelayError::Bound("min=5".into(), no_unit())),
            (
                "adaptive:p99,min=2s,max=1s",
                ParseAdaptiveDelayError::Order("adaptive:p99,min=2s,max=1s".into()),
            ),
            ("adaptive:p99,min=-1s", ParseAdaptiveDelayError::Order("adaptive:p99,min=-1s".into())),
        ] {
            assert_eq!(text.parse::<AdaptiveDelay>(), Err(error), "{text}");
        }
    }

    #[test]
    fn fields_and_how_many_values() {
        for (text, field, values) in [
            ("@source.partition", "@source.partition", None),
            ("@source.partition:3", "@source.partition", Some(3)),
            ("a:b", "a:b", None),
            ("a:b:12", "a:b", Some(12)),
            ("a:", "a:", None),
            ("7", "7", None),
        ] {
            let expected = WatermarkPer { field: field.to_owned(), values };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for (text, error) in [
            ("", ParseWatermarkPerError::NoField as fn(String) -> ParseWatermarkPerError),
            (":3", ParseWatermarkPerError::NoField),
            ("a:0", ParseWatermarkPerError::Values),
            ("a:99999999999999999999999", ParseWatermarkPerError::Values),
        ] {
            assert_eq!(text.parse::<WatermarkPer>(), Err(error(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn triggers() {
        for (text, trigger) in [
            ("10s", Trigger::Every(TimeDelta::from_seconds(10))),
            ("1 minute", Trigger::Every(TimeDelta::from_seconds(60))),
            ("count:1000", Trigger::Count(1_000)),
        ] {
            assert_eq!(text.parse(), Ok(trigger), "{text}");
        }
        for (text, said) in [
            ("0s", "longer than 0s"),
            ("-1s", "longer than 0s"),
            ("10", "like 10s"),
            ("count:0", "from 1"),
            ("count:-1", "from 1"),
            ("count:", "from 1"),
        ] {
            let error = text.parse::<Trigger>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains(said), "{error}");
        }
    }
}

//! How many records are to be late, and how late.

use std::str::FromStr;

use super::quantity::{ParseShareError, Share};
use crate::time::{ParseTimeDeltaError, TimeDelta};

/// Records to be held back: `SHARE:SHORTEST..LONGEST`, such as `2%:1m..20m`.
///
/// A record's lateness is how far its event time lies behind the greatest
/// event time of the lines before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// How many records are late; below 1.
    pub share: Share,
    /// The least lateness; more than nothing.
    pub shortest: TimeDelta,
    /// The greatest lateness.
    pub longest: TimeDelta,
}

/// Why a description of late records was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLateError {
    /// `:` or `..` is missing.
    #[error("{0:?} is not SHARE:SHORTEST..LONGEST, such as 2%:1m..20m")]
    Shape(String),
    /// The part before the colon is no share. Causes are part of the message,
    /// because clap shows no more than that.
    #[error("share: {0}")]
    Share(ParseShareError),
    /// If all records were late, there would be nothing to be late against.
    #[error("share {0:?} leaves no record on time; it must be below 100%")]
    All(String),
    /// The part before the dots is no duration.
    #[error("shortest lateness: {0}")]
    Shortest(ParseTimeDeltaError),
    /// The part behind the dots is no duration.
    #[error("longest lateness: {0}")]
    Longest(ParseTimeDeltaError),
    /// The range is empty or begins at 0.
    #[error("range {0:?}: the shortest lateness must be at least 1ms and at most the longest")]
    Range(String),
}

impl FromStr for Late {
    type Err = ParseLateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseLateError::Shape(text.to_owned());
        let (share_text, range) = text.split_once(':').ok_or_else(malformed)?;
        let (shortest, longest) = range.split_once("..").ok_or_else(malformed)?;
        let share: Share = share_text.parse().map_err(ParseLateError::Share)?;
        if share == Share::ALL {
            return Err(ParseLateError::All(share_text.to_owned()));
        }
        let shortest: TimeDelta = shortest.parse().map_err(ParseLateError::Shortest)?;
        let longest: TimeDelta = longest.parse().map_err(ParseLateError::Longest)?;
        if shortest < TimeDelta::from_micros(1_000) || longest < shortest {
            return Err(ParseLateError::Range(range.to_owned()));
        }
        Ok(Self { share, shortest, longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let late: Late = "2%:1m..20m".parse().unwrap();
        assert_eq!(late.share.as_f64().to_string(), "0.02");
        assert_eq!(late.shortest, TimeDelta::from_seconds(60));
        assert_eq!(late.longest, TimeDelta::from_seconds(1_200));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("2%", "\"2%\" is not SHARE:SHORTEST..LONGEST, such as 2%:1m..20m"),
            ("2%:1m", "\"2%:1m\" is not SHARE:SHORTEST..LONGEST, such as 2%:1m..20m"),
            ("2:1m..2m", "share: \"2\" is no share between 0 and 1; write it like 2% or 0.02"),
            ("100%:1m..2m", "share \"100%\" leaves no record on time; it must be below 100%"),
            (
                "2%:1..2m",
                "shortest lateness: no known unit in duration \"1\"; write it like 250ms, 90s, 1h30m, 2d or '5 minutes'",
            ),
            (
                "2%:1m..",
                "longest lateness: no number in duration \"\"; write it like 90s, 1h30m or '5 minutes'",
            ),
            (
                "2%:2m..1m",
                "range \"2m..1m\": the shortest lateness must be at least 1ms and at most the longest",
            ),
            (
                "2%:0s..1m",
                "range \"0s..1m\": the shortest lateness must be at least 1ms and at most the longest",
            ),
        ] {
            assert_eq!(text.parse::<Late>().unwrap_err().to_string(), message, "{text}");
        }
    }
}

//! Sources whose clocks are ahead.

use std::str::FromStr;

use super::quantity::{ParseShareError, Share};
use crate::time::{ParseTimeDeltaError, TimeDelta};

/// Records whose event time is too great by a constant: `SHARE:AHEAD`, such as
/// `0.1%:1d`. They keep their place in the stream; no late record is among
/// them, nor the first line, which has nothing before it to be ahead of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FutureClock {
    /// How many records are from such a clock; below 1.
    pub share: Share,
    /// How far it is ahead; at least a millisecond.
    pub ahead: TimeDelta,
}

/// Why a description of clocks ahead was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseFutureClockError {
    /// `:` is missing.
    #[error("{0:?} is not SHARE:AHEAD, such as 0.1%:1d")]
    Shape(String),
    /// The part before the colon is no share. Causes are part of the message,
    /// because clap shows no more than that.
    #[error("share: {0}")]
    Share(ParseShareError),
    /// If all clocks were ahead, there would be nothing to be ahead of.
    #[error("share {0:?} leaves no clock that is right; it must be below 100%")]
    All(String),
    /// The part behind the colon is no duration.
    #[error("time ahead: {0}")]
    Ahead(ParseTimeDeltaError),
    /// The clock would be right, or behind.
    #[error("time ahead {0:?} is less than 1ms; for records behind there is --late")]
    TooShort(String),
}

impl FromStr for FutureClock {
    type Err = ParseFutureClockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseFutureClockError::Shape(text.to_owned());
        let (share_text, ahead_text) = text.split_once(':').ok_or_else(malformed)?;
        let share: Share = share_text.parse().map_err(ParseFutureClockError::Share)?;
        if share == Share::ALL {
            return Err(ParseFutureClockError::All(share_text.to_owned()));
        }
        let ahead: TimeDelta = ahead_text.parse().map_err(ParseFutureClockError::Ahead)?;
        if ahead < TimeDelta::from_micros(1_000) {
            return Err(ParseFutureClockError::TooShort(ahead_text.to_owned()));
        }
        Ok(Self { share, ahead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let clock: FutureClock = "0.1%:1d".parse().unwrap();
        assert_eq!(clock.share.as_f64().to_string(), "0.001");
        assert_eq!(clock.ahead, TimeDelta::from_seconds(86_400));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("0.1%", "\"0.1%\" is not SHARE:AHEAD, such as 0.1%:1d"),
            ("2:1d", "share: \"2\" is no share between 0 and 1; write it like 2% or 0.02"),
            ("100%:1d", "share \"100%\" leaves no clock that is right; it must be below 100%"),
            (
                "1%:1",
                "time ahead: no known unit in duration \"1\"; write it like 250ms, 90s, 1h30m, 2d or '5 minutes'",
            ),
            ("1%:-1d", "time ahead \"-1d\" is less than 1ms; for records behind there is --late"),
        ] {
            assert_eq!(text.parse::<FutureClock>().unwrap_err().to_string(), message, "{text}");
        }
    }
}

//! Records that come a second time.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::config::Config;
use super::quantity::{ParseShareError, Share};
use super::random::{Purpose, Random};
use super::replay::Placed;
use crate::time::{ParseTimeDeltaError, TimeDelta};

/// Records to be sent twice: `SHARE[:DELAY]`, such as `1%` or `1%:1m`.
///
/// Only records that are neither late nor from a clock that is ahead come
/// twice, so that each line of the truth file is about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// How many records come twice.
    pub share: Share,
    /// The greatest event time advances by at most this much between the two.
    pub delay: TimeDelta,
}

impl Duplicate {
    /// The delay unless another is asked for: what a producer that repeats an
    /// unanswered request takes.
    pub const DELAY: TimeDelta = TimeDelta::from_seconds(10);
}

/// Why a description of duplicates was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDuplicateError {
    /// The part before the colon is no share. Causes are part of the message,
    /// because clap shows no more than that.
    #[error("share: {0}")]
    Share(ParseShareError),
    /// The part behind the colon is no duration.
    #[error("delay: {0}")]
    Delay(ParseTimeDeltaError),
    /// The second record would come before the first.
    #[error("delay {0:?} is negative")]
    Negative(String),
}

impl FromStr for Duplicate {
    type Err = ParseDuplicateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (share, delay) = match text.split_once(':') {
            None => (text, Self::DELAY),
            Some((share, text)) => {
                let delay: TimeDelta = text.parse().map_err(ParseDuplicateError::Delay)?;
                if delay < TimeDelta::ZERO {
                    return Err(ParseDuplicateError::Negative(text.to_owned()));
                }
                (share, delay)
            }
        };
        Ok(Self { share: share.parse().map_err(ParseDuplicateError::Share)?, delay })
    }
}

/// A record's second coming.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) placed: Placed,
    /// The line on which it came first.
    pub(super) of: u64,
    /// When it comes again, in milliseconds since the epoch.
    pub(super) at: i64,
}

/// The records that have come once and are to come again.
#[derive(Clone, Debug)]
pub(super) struct Repeats {
    share: Share,
    /// Greatest delay in milliseconds.
    delay: u64,
    random: Random,
    /// By the time before which they come, then by the line of the first.
    waiting: BTreeMap<(i64, u64), Placed>,
}

impl Repeats {
    pub(super) fn new(config: &Config) -> Option<Self> {
        let Duplicate { share, delay } = config.duplicate?;
        Some(Self {
            share,
            delay: (delay.micros / 1_000) as u64,
            random: Random::new(config.seed, Purpose::Duplicates),
            waiting: BTreeMap::new(),
        })
    }

    /// Decides whether a record that has come on this line comes again; before
    /// its partition falls silent, if it does (`silent_at`).
    pub(super) fn consider(&mut self, placed: &Placed, line: u64, silent_at: Option<i64>) {
        if !self.random.chance(self.share) {
            return;
        }
        let due = placed.at.saturating_add(self.random.below(self.delay + 1) as i64);
        let due = silent_at.map_or(due, |silent_at| due.min(silent_at - 1));
        self.waiting.insert((due, line), *placed);
    }

    /// The record to be repeated now, if the next one that comes for the first
    /// time does so at `upcoming`; `None` stands for the end of the stream.
    ///
    /// It comes before time has passed its delay, never behind it, even where
    /// event times are further apart than the delay is long.
    pub(super) fn due(&mut self, upcoming: Option<i64>) -> Option<Repeat> {
        let first = self.waiting.first_entry()?;
        if upcoming.is_some_and(|upcoming| upcoming <= first.key().0) {
            return None;
        }
        let ((at, of), placed) = first.remove_entry();
        Some(Repeat { placed, of, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (text, share, seconds) in [("1%", "1%", 10), ("0.5:2m", "50%", 120), ("1%:0s", "1%", 0)]
        {
            let expected = Duplicate {
                share: share.parse().unwrap(),
                delay: TimeDelta::from_seconds(seconds),
            };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("2", "share: \"2\" is no share between 0 and 1; write it like 2% or 0.02"),
            ("1%:", "delay: no number in duration \"\"; write it like 90s, 1h30m or '5 minutes'"),
            ("1%:-1s", "delay \"-1s\" is negative"),
        ] {
            assert_eq!(text.parse::<Duplicate>().unwrap_err().to_string(), message, "{text}");
        }
    }
}

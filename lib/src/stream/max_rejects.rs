//! How many rejected lines are too many.

use std::fmt;
use std::str::FromStr;

use super::{StageError, Stats};

/// How many lines may be rejected before the run counts as failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejects {
    /// So many lines. The stage ends at the first one more.
    Lines(u64),
    /// So many of a hundred. Judged at the end of the input, since a share of
    /// the first few lines says nothing: of a stream that never ends, never.
    Percent(f64),
}

impl MaxRejects {
    /// Fails if there are too many lines among those rejected so far.
    pub(super) fn check(self, stats: &Stats) -> Result<(), StageError> {
        match self {
            Self::Lines(most) if stats.rejected() > most => Err(self.exceeded(stats)),
            _ => Ok(()),
        }
    }

    /// Fails if too many of all lines were rejected.
    ///
    /// # Errors
    ///
    /// Says how many of how many there were.
    pub fn check_end(self, stats: &Stats) -> Result<(), StageError> {
        let most = match self {
            Self::Lines(most) => most as f64,
            Self::Percent(percent) => stats.records_in as f64 * percent / 100.0,
        };
        if stats.rejected() as f64 > most { Err(self.exceeded(stats)) } else { Ok(()) }
    }

    fn exceeded(self, stats: &Stats) -> StageError {
        let (rejected, all) = (stats.rejected(), stats.records_in);
        StageError::Failed(format!(
            "{rejected} of {all} lines were rejected (--max-rejects {self})"
        ))
    }
}

impl fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines(most) => write!(f, "{most}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Why a limit such as `1%` was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no number of lines; write it like 100 or 0.5%")]
pub struct ParseMaxRejectsError(String);

impl FromStr for MaxRejects {
    type Err = ParseMaxRejectsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let limit = match text.strip_suffix('%') {
            Some(number) => {
                let percent = number.trim_end().parse().ok();
                percent.filter(|percent| (0.0..=100.0).contains(percent)).map(Self::Percent)
            }
            None => text.parse().ok().map(Self::Lines),
        };
        limit.ok_or_else(|| ParseMaxRejectsError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for text in ["0", "100", "0%", "0.5%", "100%"] {
            assert_eq!(text.parse::<MaxRejects>().unwrap().to_string(), text);
        }
        for text in ["", "-1", "%", "101%", "1.5", "nan%", "ten"] {
            assert!(text.parse::<MaxRejects>().is_err(), "{text:?}");
        }
    }
}

//! Detectors: how unusual is the next value of a series?
//!
//! A detector judges each value by those before it, in one pass and bounded
//! memory, with the same settings for every series.
//!
//! | name | what is unusual | says nothing before | alert |
//! | --- | --- | --- | --- |
//! | [`surprise`](DetectorKind::Surprise) | novelty + half of activity | 81 values | score ≥ 0.22 |
//! | [`novelty`](DetectorKind::Novelty) | a value far from all seen before | 81 values | score ≥ 0.22 |
//! | [`zscore`](DetectorKind::Zscore) | far from the mean of the 10 values before | 11 values | \|z\| > 2 |
//! | [`ewma`](DetectorKind::Ewma) | far from the running mean | 61 values | score ≥ 0.22 |
//!
//! ```text
//! value ─┬─> Novelty: distance to the nearest value seen ─> Tail ─> a ─┐
//!        └─> Activity: does it move more, or less? ───────> Tail ─> b ─┴─> a + b/2 ─> Report ─> score
//! ```
//!
//! `Tail` turns distances, whatever their unit, into rarities: `−log10` of the
//! chance to see one at least so large. `Report` raises the bar for long series
//! and keeps one event from being reported over and over.
//!
//! A value that is missing, or whose size is 1e150 or more (its square would be
//! no number), scores 0 and changes nothing but the count of windows.
//!
//! # Limits
//!
//! - A level seen within the last 10,080 values (`memory`; a week of minutes) is
//!   no news: when last week's outage comes again at the same height, `novelty`
//!   is silent and `activity` may be too.
//! - Trends and counters make a new record all the time. Watch rates instead.
//! - A usual value at an unusual hour, such as a missing daily peak, is mostly
//!   missed.
//! - The smallest change that has never been is news, however small; `min_gap`
//!   asks for a share of the range seen so far.
//! - A constant series that changes is reported at once, with a score of 0.8,
//!   if at least 80 values came before.

mod activity;
mod ewma;
mod novelty;
mod report;
mod surprise;
mod tail;
mod zscore;

use std::fmt;
use std::str::FromStr;

use self::ewma::Ewma;
use self::novelty::Reports;
use self::surprise::Surprise;
use self::zscore::Zscore;
use super::alert::Short;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The detectors there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetectorKind {
    /// Novelty and, at half its weight, activity.
    #[default]
    Surprise,
    /// Values far from all seen before.
    Novelty,
    /// Distance from the mean of the 10 values before, in sample deviations.
    Zscore,
    /// Distance from the exponentially weighted mean.
    Ewma,
}

/// There is no detector of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no detector {0:?}; the detectors are surprise, novelty, zscore, ewma")]
pub struct UnknownDetector(pub String);

impl DetectorKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Surprise, Self::Novelty, Self::Zscore, Self::Ewma];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Surprise => "surprise",
            Self::Novelty => "novelty",
            Self::Zscore => "zscore",
            Self::Ewma => "ewma",
        }
    }

    /// The level from which on values are alerts, unless somebody says
    /// otherwise; see [`Score::level`].
    pub const fn default_threshold(self) -> f64 {
        match self {
            Self::Zscore => 2.0,
            _ => 0.22,
        }
    }

    /// Whether a level is an alert: from the threshold on, or, of a z-score,
    /// beyond it.
    pub fn is_alert(self, level: f64, threshold: f64) -> bool {
        match self {
            Self::Zscore => level > threshold,
            _ => level >= threshold,
        }
    }
}

impl fmt::Display for DetectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DetectorKind {
    type Err = UnknownDetector;

    fn from_str(name: &str) -> Result<Self, UnknownDetector> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| UnknownDetector(name.to_owned()))
    }
}

/// What a user may want otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How many values ago a level may have been seen last to be known still;
    /// 0: for ever. Of `surprise` and `novelty`.
    pub memory: u64,
    /// The least distance that is news, as a share of the range of the values
    /// so far. Of `surprise` and `novelty`.
    pub min_gap: f64,
    /// How many fields of a window are watched, each by a detector of its own:
    /// the more there are, the more often one of them is unusual by chance
    /// (Bonferroni). At least 1.
    pub fields: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory: 10_080, min_gap: 0.0, fields: 1 }
    }
}

/// What a detector says of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// How unusual the value is, from 0 (not at all) to 1.
    pub score: f64,
    /// The same in the unit of thresholds: of a z-score its size, else the
    /// score.
    pub level: f64,
    /// Values so far, this one included.
    pub count: u64,
    /// What the score comes from.
    pub evidence: Evidence,
}

/// What a score comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// The value is missing, or there are too few before it.
    Nothing,
    /// Distance to the nearest value seen.
    Novelty(Gap),
    /// The same, and the series' activity.
    Surprise(Gap, Movement),
    /// Distance from a mean.
    Deviation {
        /// Of the values before.
        mean: f64,
        /// Of the values before.
        deviation: f64,
        /// How many deviations the value is above the mean.
        z: f64,
    },
}

/// How far a value is from those seen before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The nearest value seen.
    pub nearest: f64,
    /// The distance to it.
    pub gap: f64,
    /// `−log10` of the chance of one at least so large; at most 8.
    pub rarity: f64,
}

/// How much a series moves: means of `d / (d + D)`, where `d` is the size of a
/// step and `D` the mean of all steps'.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Movement {
    /// Of the last 48 steps; 0 if there are fewer.
    pub now: f64,
    /// What that was on average, up to the step before.
    pub usual: f64,
    /// `−log10` of the chance of such a difference; at most 8.
    pub rarity: f64,
}

impl Score {
    const NOTHING: Self = Self { score: 0.0, level: 0.0, count: 0, evidence: Evidence::Nothing };

    /// What the value was compared with: the nearest one seen, or a mean.
    pub fn expected(&self) -> Option<f64> {
        match self.evidence {
            Evidence::Nothing => None,
            Evidence::Novelty(gap) | Evidence::Surprise(gap, _) => Some(gap.nearest),
            Evidence::Deviation { mean, .. } => Some(mean),
        }
    }
}

impl fmt::Display for Evidence {
    /// Prints what follows "… is" in a sentence about the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nothing => f.write_str("not judged yet"),
            Self::Novelty(gap) => gap.fmt(f),
            Self::Surprise(gap, Movement { now, usual, rarity }) => {
                let (now, usual, rarity) = (Short(now), Short(usual), Short(rarity));
                write!(f, "{gap}, and moves {now} where {usual} is usual (rarity {rarity})")
            }
            Self::Deviation { mean, deviation, z } => {
                let side = if z < 0.0 { "below" } else { "above" };
                let (z, mean, deviation) = (Short(z.abs()), Short(mean), Short(deviation));
                write!(f, "{z} deviations {side} the mean {mean} (deviation {deviation})")
            }
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nearest, gap, rarity } = *self;
        let (gap, nearest, rarity) = (Short(gap), Short(nearest), Short(rarity));
        write!(f, "{gap} from the nearest value seen, {nearest} (rarity {rarity})")
    }
}

/// The state of one series.
///
/// It grows with the series up to a bound: 9 KiB of `surprise` while its tails
/// keep the first 250 numbers, 5 KiB from then on; `ewma` and `zscore` take 200
/// bytes in the long run.
#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    // In boxes, since all series take the size of the largest.
    Surprise(Box<Surprise>),
    Novelty(Box<Reports>),
    Zscore(Zscore),
    Ewma(Box<Ewma>),
}

impl Detector {
    /// The state of a series that has had no value yet.
    pub fn new(kind: DetectorKind, settings: &Settings) -> Self {
        let state = match kind {
            DetectorKind::Surprise => State::Surprise(Box::new(Surprise::new(settings))),
            DetectorKind::Novelty => State::Novelty(Box::new(Reports::new(settings))),
            DetectorKind::Zscore => State::Zscore(Zscore::default()),
            DetectorKind::Ewma => State::Ewma(Box::new(Ewma::new(settings))),
        };
        Self { state }
    }

    /// Takes in the series' next value, `None` if it is missing, and says how
    /// unusual it is. Takes time that does not grow with the series.
    pub fn step(&mut self, value: Option<f64>) -> Score {
        /// The square of what is smaller is a number, as are sums of some.
        const LIMIT: f64 = 1e150;
        let value = value.filter(|value| value.abs() < LIMIT);
        match &mut self.state {
            State::Surprise(surprise) => surprise.step(value),
            State::Novelty(novelty) => novelty.step(value),
            State::Zscore(zscore) => value.map_or(Score::NOTHING, |value| zscore.step(value)),
            State::Ewma(ewma) => ewma.step(value),
        }
    }

    /// How many bytes of memory it takes.
    pub fn state_bytes(&self) -> usize {
        let behind = match &self.state {
            State::Surprise(surprise) => size_of::<Surprise>() + surprise.heap_bytes(),
            State::Novelty(novelty) => size_of::<Reports>() + novelty.heap_bytes(),
            State::Zscore(zscore) => zscore.heap_bytes(),
            State::Ewma(ewma) => size_of::<Ewma>() + ewma.heap_bytes(),
        };
        size_of::<Self>() + behind
    }

    /// Writes the state.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        match &self.state {
            State::Surprise(surprise) => surprise.snapshot(state),
            State::Novelty(novelty) => novelty.snapshot(state),
            State::Zscore(zscore) => zscore.snapshot(state),
            State::Ewma(ewma) => ewma.snapshot(state),
        }
    }

    /// Reads back what [`snapshot`](Self::snapshot) wrote of a detector of this
    /// kind, with these settings.
    ///
    /// # Errors
    ///
    /// Fails if the state is damaged.
    pub fn restore(
        kind: DetectorKind,
        settings: &Settings,
        state: &mut SnapshotReader<'_>,
    ) -> Result<Self, RestoreError> {
        let mut detector = Self::new(kind, settings);
        match &mut detector.state {
            State::Surprise(surprise) => surprise.restore(state),
            State::Novelty(novelty) => novelty.restore(state),
            State::Zscore(zscore) => zscore.restore(state),
            State::Ewma(ewma) => ewma.restore(state),
        }?;
        Ok(detector)
    }
}

/// Reads a list that cannot be longer than `capacity`.
fn restore_bounded<'a, T>(
    capacity: usize,
    state: &mut SnapshotReader<'a>,
    read: impl FnMut(&mut SnapshotReader<'a>) -> Result<T, RestoreError>,
) -> Result<Vec<T>, RestoreError> {
    let list = state.list(read)?;
    if list.len() <= capacity {
        Ok(list)
    } else {
        Err(RestoreError::Damaged("a detector remembers more than it can"))
    }
}

#[cfg(test)]
mod tests;

//! Which rarities are worth a report.

use super::Settings;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// For how many windows only something rarer is reported again.
const HOLD: u64 = 100;
/// The length from which on the bar rises.
const LENGTH: f64 = 1_000.0;
/// How much it rises for ten times the length.
const RISE: f64 = 0.5;
/// The rarity that is a score of 1.
const FULL: f64 = 10.0;

/// Turns rarities into scores.
///
/// Something so rare comes up the more often the longer a series gets, so the
/// bar rises with its length, as alpha spending does in online control of false
/// discoveries. Within 100 windows of a report, only what is rarer still is
/// reported.
///
/// Source of the rising bar: Foster and Stine, *α-investing* (2008).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    /// What watching several fields costs.
    fields: f64,
    /// Windows so far, those without a value included.
    windows: u64,
    /// Window and rarity of the last report, which outdid all those within
    /// [`HOLD`] windows before it.
    last: Option<(u64, f64)>,
}

impl Report {
    pub(super) fn new(settings: &Settings) -> Self {
        let fields = f64::from(settings.fields.max(1)).log10();
        Self { fields, windows: 0, last: None }
    }

    /// Takes in the rarity of the next window, 0 if it has no value; its score
    /// is from 0 to 1.
    pub(super) fn step(&mut self, rarity: f64) -> f64 {
        self.windows += 1;
        // Most windows are nothing unusual, and a logarithm costs more than all
        // the rest.
        if rarity <= self.fields {
            return 0.0;
        }
        let length = (self.windows as f64).max(LENGTH) / LENGTH;
        let rarity = rarity - self.fields - RISE * length.log10();
        if rarity <= 0.0 {
            return 0.0;
        }
        let outdoes = |(window, last): (u64, f64)| window + HOLD < self.windows || last < rarity;
        if !self.last.is_none_or(outdoes) {
            return 0.0;
        }
        self.last = Some((self.windows, rarity));
        (rarity / FULL).min(1.0)
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.windows);
        state.option(self.last, |state, (window, rarity)| {
            state.u64(window);
            state.f64(rarity);
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.windows = state.u64()?;
        self.last = state.option(|state| Ok((state.u64()?, state.f64()?)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(fields: u32, rarities: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut report = Report::new(&Settings { fields, ..Settings::default() });
        rarities.into_iter().map(|rarity| report.step(rarity)).collect()
    }

    #[test]
    fn within_a_hundred_windows_only_worse_is_reported() {
        // window   1    2    3    4    …    103   104
        //          3    3    2    4    1…    4     4
        let mut rarities = vec![3.0, 3.0, 2.0, 4.0];
        rarities.extend([1.0; 98]);
        rarities.extend([4.0, 4.0, 4.0, 4.0]);
        let scores = scores(1, rarities);
        assert_eq!(scores[..5], [0.3, 0.0, 0.0, 0.4, 0.0]);
        let again: Vec<usize> = (5..scores.len()).filter(|index| scores[*index] > 0.0).collect();
        // The 101st window behind that of the 4, and nothing on the way.
        assert_eq!(again, [104]);
    }

    #[test]
    fn the_bar_rises_with_the_length_and_with_the_fields() {
        for (windows, fields, score) in
            [(1_000, 1, 0.3), (100_000, 1, 0.2), (1_000, 10, 0.2), (1_000, 1_000, 0.0)]
        {
            let mut rarities = vec![0.0; windows - 1];
            rarities.push(3.0);
            assert_eq!(scores(fields, rarities).last(), Some(&score), "{windows}, {fields}");
        }
    }

    #[test]
    fn no_score_is_above_one() {
        assert_eq!(scores(1, [12.0]), [1.0]);
    }
}

//! From distances to rarities.

use super::restore_bounded;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The share of values that are the tail.
const SHARE: f64 = 0.10;
/// The most excesses that the law believes in: its tail stays heavier than the
/// exponential one, however many there were.
const MAX_EXCESSES: f64 = 20.0;
/// The greatest rarity.
const CAP: f64 = 8.0;
/// How many values are kept to begin with, and from how many on it judges.
const KEPT: usize = 250;
const JUDGES_FROM: usize = 50;

/// Learns the upper tail of a stream of numbers from 0 up, and says how rare
/// one is.
///
/// What lies over a running quantile is the tail; its mean excess makes an
/// exponential law. Since that mean is itself learnt from `k` excesses, the law
/// of the next one is Lomax's, heavier for small `k`: few data give mild scores
/// by themselves.
///
/// Sources: Siffer et al., *Anomaly detection in streams with extreme value
/// theory* (KDD 2017), for the tail over a quantile; Pickands, *Statistical
/// inference using extreme order statistics* (1975), for its law; Robbins and
/// Monro, *A stochastic approximation method* (1951), for the running quantile.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tail {
    /// Values so far.
    count: u64,
    /// The first [`KEPT`] values, sorted; empty from then on.
    kept: Vec<f64>,
    /// Where the tail begins. May fall a little below 0, and must: where nearly
    /// all values are 0, a share of those ties has to count as an excess of
    /// about 0, so that a value above 0 stands out.
    quantile: f64,
    /// Mean of what values in the tail have over the quantile.
    excess: f64,
    /// How many values were in the tail.
    excesses: u64,
}

impl Tail {
    /// Takes in a number, and returns `−log10` of the chance of one at least
    /// so large, judged by those before: from 0 to 8, and 0 for the first 50.
    pub(super) fn step(&mut self, number: f64) -> f64 {
        self.count += 1;
        if self.count > KEPT as u64 {
            let rarity = self.rarity(number);
            self.learn(number);
            return rarity;
        }
        let rarity = if self.kept.len() >= JUDGES_FROM {
            self.seat();
            self.rarity(number)
        } else {
            0.0
        };
        let at = self.kept.partition_point(|kept| *kept < number);
        self.kept.insert(at, number);
        if self.kept.len() == KEPT {
            self.seat();
            self.kept = Vec::new();
        }
        rarity
    }

    /// Fits the tail to the values kept.
    fn seat(&mut self) {
        let kept = self.kept.as_slice();
        let rank = ((1.0 - SHARE) * kept.len() as f64) as usize;
        let (quantile, median) = (kept[rank], kept[kept.len() / 2]);
        let tail = &kept[kept.partition_point(|number| *number <= quantile)..];
        let sum: f64 = tail.iter().map(|number| number - quantile).sum();
        let mean = if tail.is_empty() { 0.0 } else { sum / tail.len() as f64 };
        self.quantile = quantile;
        self.excesses = tail.len() as u64;
        // Ties at the top would make a mean of nearly 0, and all else rare.
        self.excess = mean.max(0.05 * (quantile - median));
    }

    fn rarity(&self, number: f64) -> f64 {
        let over = number - self.quantile;
        if over <= 0.0 {
            return 0.0;
        }
        if self.excess <= 0.0 {
            return CAP;
        }
        let k = (self.excesses as f64).clamp(1.0, MAX_EXCESSES);
        let chance = -SHARE.ln() + k * (over / (k * self.excess)).ln_1p();
        (chance / std::f64::consts::LN_10).min(CAP)
    }

    /// Moves the quantile by the step that is best for an exponential tail.
    fn learn(&mut self, number: f64) {
        let count = self.count as f64;
        let over = number - self.quantile;
        if over > 0.0 {
            self.excess += (1.0 / (count * SHARE)).min(0.5) * (over - self.excess);
            self.quantile += self.excess * (1.0 - SHARE) / (count * SHARE);
            self.excesses += 1;
        } else {
            self.quantile -= self.excess / count;
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.kept.capacity() * size_of::<f64>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.count);
        state.list(self.kept.iter(), |state, number| state.f64(*number));
        state.f64(self.quantile);
        state.f64(self.excess);
        state.u64(self.excesses);
    }

    pub(super) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        let count = state.u64()?;
        let kept = restore_bounded(KEPT, state, SnapshotReader::f64)?;
        let expected = if count < KEPT as u64 { count } else { 0 };
        if kept.len() as u64 != expected || !kept.is_sorted() {
            return Err(RestoreError::Damaged("the first values of a tail are not all there"));
        }
        Ok(Self {
            count,
            kept,
            quantile: state.f64()?,
            excess: state.f64()?,
            excesses: state.u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exponentially distributed numbers, by the inverse of their law, in an
    /// order without runs.
    fn exponential(count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(move |index| {
            let part = f64::from(index.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
            -(1.0 - part).ln()
        })
    }

    #[test]
    fn the_first_fifty_are_not_judged() {
        let mut tail = Tail::default();
        assert!((0..50).all(|_| tail.step(1.0) == 0.0));
        assert!(tail.step(2.0) >= CAP, "equal numbers leave no room for another");
    }

    #[test]
    fn a_rarity_is_the_logarithm_of_a_share() {
        let mut tail = Tail::default();
        let rarities: Vec<f64> = exponential(200_000).map(|number| tail.step(number)).collect();
        for rarity in [1.2, 2.0, 3.0] {
            let judged = &rarities[1_000..];
            let share = judged.iter().filter(|of| **of >= rarity).count() as f64;
            // Lomax's law with 20 excesses asks for a little more than the
            // exponential one that the numbers follow.
            let over = (rarity * std::f64::consts::LN_10 + SHARE.ln()) / MAX_EXCESSES;
            let over = MAX_EXCESSES * over.exp_m1();
            let wanted = SHARE * (-over).exp() * judged.len() as f64;
            assert!((0.8..1.2).contains(&(share / wanted)), "{rarity}: {share} of {wanted}");
        }
    }

    #[test]
    fn zeros_do_not_hide_what_is_above_them() {
        let (mut tail, mut fell_below) = (Tail::default(), false);
        for index in 0..5_000 {
            tail.step(if index % 25 == 0 { 1.0 } else { 0.0 });
            fell_below |= tail.quantile < 0.0;
        }
        assert!(fell_below);
        assert!(tail.step(100.0) > 4.0);
    }

    #[test]
    fn the_kept_values_are_freed() {
        let mut tail = Tail::default();
        exponential(249).for_each(|number| _ = tail.step(number));
        assert!(tail.heap_bytes() >= 249 * 8);
        tail.step(1.0);
        assert_eq!(tail.heap_bytes(), 0);
    }
}

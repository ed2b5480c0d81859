//! How far is a value from all those seen before?

use super::report::Report;
use super::tail::Tail;
use super::{Evidence, Gap, Score, Settings, restore_bounded};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// How many representatives stand for all values seen.
const REPRESENTATIVES: usize = 256;
/// How often those are dropped that nothing has matched for long, in values.
const FORGETS_EVERY: u64 = 64;
/// How many values are only learnt.
const LEARNT: u64 = 30;
/// Values closer than this share of their size are equal.
const RESOLUTION: f64 = 1e-9;

/// The values seen, by representatives, and the law of the distances to them.
///
/// In dense regions a value finds one near enough, so that the representatives
/// come to cover the whole range of an endless stream, while gaps that matter,
/// at the edges and in holes, stay exact. A new value is no longer new when it
/// comes again.
///
/// Sources: Ramaswamy et al., *Mining outliers from large data sets* (SIGMOD
/// 2000); Burnaev and Ishimtsev, *Conformalized density- and distance-based
/// anomaly detection* (2016).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Novelty {
    memory: u64,
    min_gap: f64,
    /// Values so far.
    count: u64,
    /// Sorted by value.
    seen: Vec<Seen>,
    /// The least distance of two representatives when one had to go last.
    resolution: f64,
    least: f64,
    greatest: f64,
    tail: Tail,
}

/// A representative, and the number of the value that matched it last.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    value: f64,
    last: u64,
}

impl Novelty {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            memory: settings.memory,
            min_gap: settings.min_gap,
            count: 0,
            seen: Vec::new(),
            resolution: 0.0,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            tail: Tail::default(),
        }
    }

    /// Values so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Takes in a value; `None` for the first one, which is near nothing.
    pub(super) fn step(&mut self, value: f64) -> Option<Gap> {
        let now = self.count;
        self.count += 1;
        if now.is_multiple_of(FORGETS_EVERY) {
            self.forget(now);
        }
        let range = self.greatest - self.least;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        let at = self.seen.partition_point(|seen| seen.value < value);
        let Some((nearest, gap)) = self.nearest(at, value) else {
            self.seen.push(Seen { value, last: now });
            return None;
        };
        let nearest_value = self.seen[nearest].value;
        if gap == 0.0 || (self.seen.len() == REPRESENTATIVES && gap <= self.resolution) {
            self.seen[nearest].last = now;
        } else {
            self.insert(at, Seen { value, last: now });
        }
        let mut rarity = if self.count > LEARNT { self.tail.step(gap) } else { 0.0 };
        if gap < self.min_gap * range {
            rarity = 0.0;
        }
        Some(Gap { nearest: nearest_value, gap, rarity })
    }

    /// Drops what nothing has matched for as long as the memory reaches. The
    /// value before has matched something, so this never drops all.
    fn forget(&mut self, now: u64) {
        if self.memory > 0 {
            let since = now.saturating_sub(self.memory);
            self.seen.retain(|seen| seen.last >= since);
        }
    }

    /// The representative nearest to `value`, which would go to `at`, and the
    /// distance; the right one of two.
    fn nearest(&self, at: usize, value: f64) -> Option<(usize, f64)> {
        let right = self.seen.get(at).map(|seen| (at, seen.value - value));
        let left = at.checked_sub(1).map(|left| (left, value - self.seen[left].value));
        let (nearest, gap) = match (left, right) {
            (Some(left), Some(right)) => Some(if left.1 < right.1 { left } else { right }),
            (left, right) => left.or(right),
        }?;
        let size = value.abs().max(self.seen[nearest].value.abs());
        Some((nearest, if gap <= RESOLUTION * size { 0.0 } else { gap }))
    }

    fn insert(&mut self, at: usize, seen: Seen) {
        if self.seen.len() < REPRESENTATIVES {
            self.seen.insert(at, seen);
        } else {
            // One more for a moment need not double the memory.
            self.seen.reserve_exact(1);
            self.seen.insert(at, seen);
            self.thin();
        }
    }

    /// Lets one go of the two that are nearest to one another.
    fn thin(&mut self) {
        let (mut closest, mut distance) = (0, f64::INFINITY);
        for (left, pair) in self.seen.windows(2).enumerate() {
            let apart = pair[1].value - pair[0].value;
            if apart < distance {
                (closest, distance) = (left, apart);
            }
        }
        self.resolution = distance;
        let is_right_older = self.seen[closest + 1].last < self.seen[closest].last;
        self.seen.remove(closest + usize::from(is_right_older));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<Seen>() + self.tail.heap_bytes()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.count);
        state.list(self.seen.iter(), |state, seen| {
            state.f64(seen.value);
            state.u64(seen.last);
        });
        for number in [self.resolution, self.least, self.greatest] {
            state.f64(number);
        }
        self.tail.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.count = state.u64()?;
        self.seen = restore_bounded(REPRESENTATIVES, state, |state| {
            Ok(Seen { value: state.f64()?, last: state.u64()? })
        })?;
        if !self.seen.is_sorted_by(|left, right| left.value <= right.value) {
            return Err(RestoreError::Damaged("the values seen are in disorder"));
        }
        self.resolution = state.f64()?;
        self.least = state.f64()?;
        self.greatest = state.f64()?;
        self.tail = Tail::restore(state)?;
        Ok(())
    }
}

/// Novelty by itself, as a detector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reports {
    novelty: Novelty,
    report: Report,
}

impl Reports {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { novelty: Novelty::new(settings), report: Report::new(settings) }
    }

    pub(super) fn step(&mut self, value: Option<f64>) -> Score {
        let gap = value.and_then(|value| self.novelty.step(value));
        let score = self.report.step(gap.map_or(0.0, |gap| gap.rarity));
        let evidence = gap.map_or(Evidence::Nothing, Evidence::Novelty);
        Score { score, level: score, count: self.novelty.count(), evidence }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.novelty.heap_bytes()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.novelty.snapshot(state);
        self.report.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.novelty.restore(state)?;
        self.report.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(settings: Settings, values: &[f64]) -> Vec<Option<(f64, f64)>> {
        let mut novelty = Novelty::new(&settings);
        let step = |value: &f64| novelty.step(*value).map(|gap| (gap.nearest, gap.gap));
        values.iter().map(step).collect()
    }

    #[test]
    fn the_gap_is_that_to_the_nearest_value_seen() {
        let values = [10.0, 20.0, 13.0, 15.0, 13.0, 9.0, 20.000_000_001, 17.5];
        let expected = [
            None,
            Some((10.0, 10.0)),
            Some((10.0, 3.0)),
            Some((13.0, 2.0)),
            Some((13.0, 0.0)),
            Some((10.0, 1.0)),
            // Equal but for what arithmetic does to digits.
            Some((20.0, 0.0)),
            // Of two the right one.
            Some((20.0, 2.5)),
        ];
        assert_eq!(gaps(Settings::default(), &values), expected);
    }

    #[test]
    fn what_was_not_seen_for_long_is_forgotten() {
        let mut values = vec![0.0; 200];
        values[0] = 100.0;
        values.push(100.0);
        let gap = |memory| gaps(Settings { memory, ..Settings::default() }, &values)[200];
        assert_eq!(gap(10_080), Some((100.0, 0.0)));
        assert_eq!(gap(100), Some((0.0, 100.0)));
        assert_eq!(gap(1), Some((0.0, 100.0)));
        assert_eq!(gap(0), Some((100.0, 0.0)), "never");
    }

    #[test]
    fn memory_has_a_bound_and_keeps_the_edges() {
        let mut novelty = Novelty::new(&Settings { memory: 0, ..Settings::default() });
        novelty.step(-1e9);
        novelty.step(1e9);
        for index in 0..100_000_u32 {
            novelty.step(f64::from(index.wrapping_mul(2_654_435_761)));
        }
        assert_eq!(novelty.seen.len(), REPRESENTATIVES);
        assert_eq!(novelty.step(-1e9).map(|gap| gap.gap), Some(0.0));
        assert_eq!(novelty.step(-3e9).map(|gap| gap.gap), Some(2e9));
    }

    #[test]
    fn a_gap_can_be_too_small_to_be_news() {
        // The integers up to 29, over and over, then a value between two.
        let mut values: Vec<f64> = (0..1_000).map(|index| f64::from(index % 30)).collect();
        values.push(14.5);
        for (min_gap, is_news) in [(0.0, true), (0.017, true), (0.018, false)] {
            let mut novelty = Novelty::new(&Settings { min_gap, ..Settings::default() });
            let last = values.iter().map(|value| novelty.step(*value)).last().flatten().unwrap();
            assert_eq!(last.rarity > 0.0, is_news, "{min_gap}: {last:?}");
        }
    }
}

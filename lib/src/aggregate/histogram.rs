//! A sketch of a distribution: counts in bins as wide as their values are large.
//!
//! An octave, from a power of two to the next, is 64 bins of equal width, so
//! that the middle of a bin lies at most 1/128, or 0.79 %, from any of its
//! values. The bin is read off the bits of a double: no logarithm, which would
//! differ in its last digit from one platform to another. All octaves that a
//! double can be in have bins of their own and none are ever joined, so the
//! error has this bound whatever the data, and since adding and merging are
//! additions of integers, neither order nor splits of the data show.
//!
//! Source: Masson, Rim and Lee, *`DDSketch`: a fast and fully-mergeable quantile
//! sketch with relative-error guarantees* (2019), with its linearly
//! interpolated mapping.

use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// Bits of a bin's number within its octave.
const BIN_BITS: u32 = 6;
const BINS: usize = 1 << BIN_BITS;
/// Bits of the mantissa that do not tell the bin.
const SHIFT: u32 = 52 - BIN_BITS;
/// Bits of a bin's number but for its sign.
const MAGNITUDE: u64 = (1 << (63 - SHIFT)) - 1;

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    count: u64,
    least: f64,
    greatest: f64,
    /// In order; only those that have values.
    octaves: Vec<Octave>,
}

#[derive(Clone, Debug)]
struct Octave {
    number: u16,
    counts: Box<[u64; BINS]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { count: 0, least: f64::INFINITY, greatest: f64::NEG_INFINITY, octaves: Vec::new() }
    }
}

impl Histogram {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    #[inline]
    pub(super) fn add(&mut self, number: f64) {
        self.least = self.least.min(number);
        self.greatest = self.greatest.max(number);
        self.add_to_bin(bin_of(number), 1);
    }

    #[inline]
    fn add_to_bin(&mut self, bin: u64, count: u64) {
        self.count += count;
        self.octave((bin >> BIN_BITS) as u16)[bin as usize % BINS] += count;
    }

    #[inline]
    fn octave(&mut self, number: u16) -> &mut [u64; BINS] {
        let place = self.octaves.binary_search_by_key(&number, |octave| octave.number);
        let index = place.unwrap_or_else(|index| {
            self.octaves.insert(index, Octave { number, counts: Box::new([0; BINS]) });
            index
        });
        &mut self.octaves[index].counts
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        for octave in &other.octaves {
            let ours = self.octave(octave.number);
            for (ours, theirs) in ours.iter_mut().zip(&*octave.counts) {
                *ours += theirs;
            }
        }
    }

    /// About the value that has `rank` values before it in order. The first
    /// and the last are exact; so are integers below 128, if all values are
    /// known to be integers. Otherwise the relative error is at most 1/128;
    /// numbers that are not zero but below 2.3e-308 count as zero.
    pub(super) fn value_at(&self, rank: u64, integers: bool) -> f64 {
        if rank == 0 {
            return self.least;
        }
        if rank + 1 >= self.count {
            return self.greatest;
        }
        let mut before = 0;
        for octave in &self.octaves {
            for (bin, count) in octave.counts.iter().enumerate() {
                before += count;
                if before > rank {
                    let bin = u64::from(octave.number) << BIN_BITS | bin as u64;
                    return middle_of(bin, integers).clamp(self.least, self.greatest);
                }
            }
        }
        self.greatest
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>()
            + self.octaves.capacity() * size_of::<Octave>()
            + self.octaves.len() * size_of::<[u64; BINS]>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.f64(self.least);
        state.f64(self.greatest);
        let bins: Vec<(u64, u64)> = self
            .octaves
            .iter()
            .flat_map(|octave| {
                let first = u64::from(octave.number) << BIN_BITS;
                (first..).zip(octave.counts.iter().copied())
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        state.list(bins.into_iter(), |state, (bin, count)| {
            state.u64(bin);
            state.u64(count);
        });
    }

    pub(super) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        let mut histogram = Self { least: state.f64()?, greatest: state.f64()?, ..Self::default() };
        for (bin, count) in state.list(|state| Ok((state.u64()?, state.u64()?)))? {
            if bin > MAGNITUDE * 2 + 1 || histogram.count.checked_add(count).is_none() {
                return Err(RestoreError::Damaged("a histogram has a bin that cannot be"));
            }
            histogram.add_to_bin(bin, count);
        }
        // Not `>`: a least that is no number must not pass either.
        let in_order = histogram.least <= histogram.greatest;
        if in_order { Ok(histogram) } else { Err(RestoreError::Damaged("a histogram is empty")) }
    }
}

/// The bin's number: the sign, the exponent and the first bits of the
/// mantissa, such that it grows with the value.
#[inline]
fn bin_of(number: f64) -> u64 {
    // -0.0 and 0.0 are one value.
    let bits = (number + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    ordered >> SHIFT
}

/// The middle of a bin; for integers the one integer in it, if there is but
/// one.
fn middle_of(bin: u64, integers: bool) -> f64 {
    let is_negative = bin <= MAGNITUDE;
    let magnitude = if is_negative { !bin & MAGNITUDE } else { bin & MAGNITUDE };
    // Zero, and what is too small for an octave.
    if magnitude < BINS as u64 {
        return 0.0;
    }
    let middle = f64::from_bits(magnitude << SHIFT | 1 << (SHIFT - 1));
    let first = f64::from_bits(magnitude << SHIFT);
    // A bin that is at most 1 wide begins with its integer.
    let number = if integers && middle.fract() != 0.0 { first } else { middle };
    if is_negative { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bins_follow_the_order_of_numbers() {
        let numbers = [-1e300, -2.0, -1.0, -1e-300, 0.0, 1e-300, 1.0, 1.02, 2.0, f64::MAX];
        assert!(numbers.map(bin_of).is_sorted_by(|a, b| a < b));
        assert_eq!(bin_of(-0.0), bin_of(0.0));
        assert_eq!(bin_of(f64::NEG_INFINITY) >> 18, 0);
    }

    #[test]
    fn small_integers_have_bins_of_their_own() {
        for number in -127_i32..128 {
            let number = f64::from(number);
            assert!((middle_of(bin_of(number), true) - number).abs() < 1e-12, "{number}");
        }
    }

    #[test]
    fn damaged_states_are_refused() {
        for (least, greatest, bin) in [(1.0, 0.0, 5), (0.0, 1.0, 1 << 18), (f64::NAN, 1.0, 5)] {
            let mut state = SnapshotWriter::new();
            state.f64(least);
            state.f64(greatest);
            state.list([bin].into_iter(), |state, bin| {
                state.u64(bin);
                state.u64(1);
            });
            let bytes = state.into_bytes();
            assert!(Histogram::restore(&mut SnapshotReader::new(&bytes)).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_bin_lies_near_its_values(number in any::<f64>()) {
            prop_assume!(number.is_normal());
            let middle = middle_of(bin_of(number), false);
            prop_assert!((middle - number).abs() <= number.abs() / 128.0, "{} {}", number, middle);
        }
    }
}

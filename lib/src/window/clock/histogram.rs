//! Counts of lengths of time, in buckets that grow with the length.

use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// Each power of two is divided into this many buckets, so a bucket is less
/// than 1/128 (0.8 %) of what it holds wide.
const DIVISIONS: u64 = 1 << BITS;
const BITS: u32 = 7;

/// How often lengths of each size came, in whole numbers alone, so that the
/// same records give the same quantile on every machine. (A sketch with
/// logarithms does not promise that, and gives the middle of a bucket where
/// the upper edge is wanted.) Takes 4 bytes for each of at most 7,296 buckets,
/// 13 KB for lengths up to an hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<u32>,
    count: u64,
}

impl Histogram {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, length: u64) {
        self.add_to(bucket(length), 1);
    }

    fn add_to(&mut self, bucket: usize, times: u32) {
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += times;
        self.count += u64::from(times);
    }

    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.count = 0;
    }

    /// A length that `rank` of all lengths in both do not exceed, and that is
    /// less than 1/128 more than the least such length.
    pub(super) fn at_rank(&self, other: &Self, rank: u64) -> u64 {
        let buckets = self.counts.len().max(other.counts.len());
        let count = |histogram: &Self, bucket| histogram.counts.get(bucket).copied().unwrap_or(0);
        let mut below = 0;
        let found = (0..buckets).find(|&bucket| {
            below += u64::from(count(self, bucket)) + u64::from(count(other, bucket));
            below >= rank
        });
        greatest_in(found.unwrap_or(buckets.saturating_sub(1)))
    }

    pub(super) fn size(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let filled: Vec<_> = filled.collect();
        state.list(filled.into_iter(), |state, (bucket, count)| {
            state.u64(bucket as u64);
            state.u64((*count).into());
        });
    }

    pub(super) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        let mut histogram = Self::default();
        for (index, times) in state.list(|state| Ok((state.len()?, state.u64()?)))? {
            let times = u32::try_from(times).ok().filter(|_| index <= bucket(u64::MAX));
            let times = times.ok_or(RestoreError::Damaged("a count of delays is out of range"))?;
            histogram.add_to(index, times);
        }
        Ok(histogram)
    }
}

/// The bucket of a length: by its leading one and the seven bits behind it.
fn bucket(length: u64) -> usize {
    if length < DIVISIONS {
        return length as usize;
    }
    let shift = length.ilog2() - BITS;
    ((shift as usize + 1) << BITS) + (length >> shift & (DIVISIONS - 1)) as usize
}

/// The greatest length in a bucket.
fn greatest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < DIVISIONS {
        return bucket;
    }
    let shift = (bucket >> BITS) - 1;
    let least = (DIVISIONS + (bucket & (DIVISIONS - 1))) << shift;
    least + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_one_another_without_gaps() {
        let mut least = 0_u64;
        for index in 0..bucket(u64::MAX) {
            let greatest = greatest_in(index);
            assert_eq!((bucket(least), bucket(greatest)), (index, index));
            least = greatest + 1;
        }
        assert_eq!(greatest_in(bucket(u64::MAX)), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_bucket_is_narrow(length in any::<u64>(), shift in 0_u32..64) {
            let length = length >> shift;
            let greatest = greatest_in(bucket(length));
            prop_assert!(greatest >= length && greatest - length <= length / 128, "{length} {greatest}");
        }
    }
}

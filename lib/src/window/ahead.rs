//! Records whose time is too far ahead to be believed.

use std::collections::BTreeMap;

use super::options::AheadLimits;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::{TimeDelta, Timestamp};

/// So many records in a row, each near the one before it, are believed.
const ROW: u64 = 10;

/// A record is further ahead than a limit allows. Its text is the detail of
/// the reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{time} is {} ahead of {of} ({flag} {limit})", TimeDelta::from_micros(.time.micros.saturating_sub(.of.micros)))]
pub struct TooFarAhead {
    /// The record's time.
    pub time: Timestamp,
    /// What it is ahead of: processing time, or the greatest time so far.
    pub of: Timestamp,
    /// Whose limit it is.
    pub flag: &'static str,
    /// How far ahead it may be.
    pub limit: TimeDelta,
}

/// Tells records with an impossible time from the others, so that one bad clock
/// cannot make everything else late.
///
/// `--max-jump` compares with the greatest event time so far (of the record's
/// own source, where each has one). The first record is believed. Ten in a row
/// that are all too far ahead, but each within the limit of the one before it
/// (in either direction), are a real gap, and the tenth is accepted; one that is
/// not too far ahead ends the row. Neighbours are compared, not the ten as a
/// whole: behind a gap the records may come as sparsely as the limit allows.
///
/// `--max-ahead` compares with processing time and knows no such rule: a clock
/// that is wrong does not become right by repetition. What it refuses neither
/// belongs to a row nor ends one. It refuses nothing before processing time is
/// known.
#[derive(Clone, Debug)]
pub struct AheadGuard {
    limits: AheadLimits,
    /// The row of each source that has one.
    rows: BTreeMap<Box<[u8]>, Row>,
}

/// Records in a row that are too far ahead, each near the one before it.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// How many they are: one to nine.
    length: u64,
    /// The time of the last one.
    last: i64,
}

impl AheadGuard {
    /// A guard of these limits.
    pub fn new(limits: AheadLimits) -> Self {
        Self { limits, rows: BTreeMap::new() }
    }

    /// Judges a record: its time and source, the greatest time of that source
    /// so far, and processing time. One that is accepted has to move the
    /// greatest time.
    ///
    /// # Errors
    ///
    /// Returns what it is too far ahead of.
    #[inline]
    pub fn judge(
        &mut self,
        time: i64,
        source: &[u8],
        greatest: Option<i64>,
        now: Option<Timestamp>,
    ) -> Result<(), TooFarAhead> {
        if let (Some(now), Some(limit)) = (now, self.limits.max_ahead) {
            is_near(time, now.micros, limit, "--max-ahead")?;
        }
        let (Some(greatest), Some(limit)) = (greatest, self.limits.max_jump) else { return Ok(()) };
        let judged = is_near(time, greatest, limit, "--max-jump");
        if judged.is_ok() {
            if !self.rows.is_empty() {
                self.rows.remove(source);
            }
            return Ok(());
        }
        if self.completes_row(time, source, limit) { Ok(()) } else { judged }
    }

    /// Puts a time into the row of its source; tells whether it is the tenth.
    #[cold]
    fn completes_row(&mut self, time: i64, source: &[u8], limit: TimeDelta) -> bool {
        let Some(row) = self.rows.get_mut(source) else {
            self.rows.insert(source.into(), Row { length: 1, last: time });
            return false;
        };
        let is_near = time.abs_diff(row.last) <= limit.micros.unsigned_abs();
        let length = if is_near { row.length + 1 } else { 1 };
        *row = Row { length, last: time };
        let is_complete = length == ROW;
        if is_complete {
            self.rows.remove(source);
        }
        is_complete
    }

    /// Bytes of memory taken, near enough.
    pub fn size(&self) -> usize {
        let entry = size_of::<(Box<[u8]>, Row)>();
        self.rows.keys().map(|source| source.len() + entry).sum()
    }

    /// Writes the state.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.rows.iter(), |state, (source, row)| {
            state.bytes(source);
            state.u64(row.length);
            state.i64(row.last);
        });
    }

    /// Takes on a state that a guard of the same limits has written.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are no such state.
    pub fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let row = |state: &mut SnapshotReader<'_>| {
            let source = state.bytes()?.into();
            Ok((source, Row { length: state.u64()?, last: state.i64()? }))
        };
        self.rows = state.list(row)?.into_iter().collect();
        Ok(())
    }
}

fn is_near(time: i64, of: i64, limit: TimeDelta, flag: &'static str) -> Result<(), TooFarAhead> {
    if time.saturating_sub(of) <= limit.micros {
        return Ok(());
    }
    let (time, of) = (Timestamp::from_micros(time), Timestamp::from_micros(of));
    Err(TooFarAhead { time, of, flag, limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jumps(micros: i64) -> AheadGuard {
        let limit = Some(TimeDelta::from_micros(micros));
        AheadGuard::new(AheadLimits { max_jump: limit, ..AheadLimits::default() })
    }

    #[test]
    fn the_detail_says_what_is_ahead_of_what() {
        let hour = TimeDelta::from_seconds(3_600);
        let day = 86_400_000_000;
        let limits = AheadLimits { max_ahead: Some(hour), max_jump: Some(hour), keep: false };
        let mut guard = AheadGuard::new(limits);
        let ahead = guard.judge(day, b"", Some(0), None).unwrap_err();
        let expected =
            "1970-01-02T00:00:00.000Z is 1d ahead of 1970-01-01T00:00:00.000Z (--max-jump 1h)";
        assert_eq!(ahead.to_string(), expected);
        let now = Some(Timestamp::from_micros(day / 2));
        let ahead = guard.judge(day, b"", Some(day), now).unwrap_err();
        assert_eq!((ahead.flag, ahead.of.micros), ("--max-ahead", day / 2));
        assert_eq!(guard.judge(day, b"", Some(day), Some(Timestamp::from_micros(day))), Ok(()));
    }

    #[test]
    fn the_first_record_is_believed_and_the_edge_is_near() {
        //  greatest 0 ...... 10 | 11
        let mut guard = jumps(10);
        assert!(guard.judge(1_000, b"", None, None).is_ok());
        assert!(guard.judge(10, b"", Some(0), None).is_ok());
        assert!(guard.judge(11, b"", Some(0), None).is_err());
        assert!(guard.judge(i64::MAX, b"", Some(i64::MIN), None).is_err());
        assert!(guard.judge(i64::MIN, b"", Some(i64::MAX), None).is_ok());
    }

    #[test]
    fn ten_in_a_row_are_a_gap_for_each_source() {
        let mut guard = jumps(10);
        for number in 0..9 {
            assert!(guard.judge(100 + number, b"a", Some(0), None).is_err());
            assert!(guard.judge(1, b"b", Some(0), None).is_ok(), "another source ends no row");
        }
        assert!(guard.size() > 0);
        assert!(guard.judge(110, b"a", Some(0), None).is_ok());
        assert_eq!(guard.size(), 0, "the row is over");
        assert!(guard.judge(300, b"a", Some(110), None).is_err(), "a new row");
    }

    #[test]
    fn behind_a_gap_records_may_be_sparse() {
        // greatest 0, then one every 10: ten of them never lie within 10.
        let mut guard = jumps(10);
        for number in 1..10 {
            assert!(guard.judge(1_000 + 10 * number, b"", Some(0), None).is_err(), "{number}");
        }
        assert!(guard.judge(1_100, b"", Some(0), None).is_ok());
    }

    #[test]
    fn a_step_too_far_begins_the_row_anew() {
        let mut guard = jumps(10);
        let rows = [1_000, 1_010, 1_021, 1_011, 1_010, 1_000, 990, 991, 990, 995, 994];
        for time in rows {
            assert!(guard.judge(time, b"", Some(0), None).is_err(), "{time}");
        }
        assert!(guard.judge(1_000, b"", Some(0), None).is_ok(), "the tenth from 1,021 on");
        guard.judge(i64::MAX, b"", Some(i64::MIN), None).unwrap_err();
        guard.judge(i64::MIN + 11, b"", Some(i64::MIN), None).unwrap_err();
    }

    #[test]
    fn repetition_does_not_make_a_clock_right() {
        let limit = Some(TimeDelta::from_micros(10));
        let mut guard = AheadGuard::new(AheadLimits { max_ahead: limit, ..Default::default() });
        for _ in 0..20 {
            assert!(guard.judge(11, b"", Some(0), Some(Timestamp::EPOCH)).is_err());
        }
        assert!(guard.judge(11, b"", Some(0), None).is_ok(), "no clock");
    }

    proptest! {
        /// Word for word: the last ten are all ahead, and each is near the one
        /// before it.
        #[test]
        fn the_row_is_the_last_ten(times in proptest::collection::vec(0_i64..40, 0..80), limit in 3_i64..12, cut in 0_usize..80) {
            let mut guard = jumps(limit);
            let mut greatest: Option<i64> = None;
            // The times since the last record that was accepted.
            let mut ahead: Vec<i64> = Vec::new();
            for (index, &time) in times.iter().enumerate() {
                if index == cut {
                    let mut state = SnapshotWriter::new();
                    guard.snapshot(&mut state);
                    guard = jumps(limit);
                    guard.restore(&mut SnapshotReader::new(&state.into_bytes())).unwrap();
                }
                let is_near = greatest.is_none_or(|greatest| time - greatest <= limit);
                ahead.push(time);
                let last = &ahead[ahead.len().saturating_sub(10)..];
                let agree = last.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= limit);
                let accepted = is_near || last.len() == 10 && agree;
                prop_assert_eq!(guard.judge(time, b"", greatest, None).is_ok(), accepted, "{}", index);
                if accepted {
                    ahead.clear();
                    greatest = greatest.max(Some(time));
                }
            }
        }
    }
}

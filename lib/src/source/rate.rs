//! A test source: rows that count up, so many a second.

use std::io;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::{Source, now};
use crate::stream::{Next, Place, PlaceKind, StageError};
use crate::time::Timestamp;

/// Rows that are due within so short a time come together: at high rates
/// waking up for each would take longer than making it.
const TICK: Duration = Duration::from_millis(10);

/// Makes `{"timestamp":"2025-09-12T00:00:00.000Z","value":0}`, so many a
/// second, without end.
///
/// Row `i` is due `i / rate` seconds after the start, and that is its time,
/// however late it is taken; its value is `i`. Of a second, every row is made,
/// and none before it is due: one that nobody took in time comes when the
/// reader is back.
#[derive(Debug)]
pub struct Rate {
    per_second: u128,
    /// When row 0 is due.
    begun: Instant,
    /// The same by the wall clock, in whole milliseconds.
    start: Timestamp,
    /// How many rows have been made.
    made: u64,
    taken: u64,
    /// When to make rows again.
    due: Instant,
    row: Vec<u8>,
}

impl Rate {
    /// The first row is due now.
    pub fn new(per_second: NonZeroU32) -> Self {
        let begun = Instant::now();
        let millis = now().micros.div_euclid(1_000);
        Self {
            per_second: per_second.get().into(),
            begun,
            start: Timestamp::from_micros(millis * 1_000),
            made: 0,
            taken: 0,
            due: begun,
            row: Vec::new(),
        }
    }

    /// How many rows are due when so much time has passed.
    fn due_after(&self, elapsed: Duration) -> u64 {
        (elapsed.as_nanos() * self.per_second / 1_000_000_000 + 1) as u64
    }

    /// How long after the start a row is due, to the next nanosecond.
    fn due_at(&self, row: u64) -> Duration {
        let nanos = (u128::from(row) * 1_000_000_000).div_ceil(self.per_second);
        Duration::from_nanos(nanos as u64)
    }

    fn write_row(&mut self) {
        let micros = u128::from(self.made) * 1_000_000 / self.per_second;
        self.row.clear();
        self.row.extend_from_slice(b"{\"timestamp\":\"");
        Timestamp::from_micros(self.start.micros + micros as i64).write(&mut self.row);
        self.row.extend_from_slice(b"\",\"value\":");
        self.row.extend_from_slice(itoa::Buffer::new().format(self.made).as_bytes());
        self.row.extend_from_slice(b"}\n");
    }

    /// Fills `space` with the rows due when so much time has passed, and puts
    /// off the next ones unless there was no room for all.
    fn make(&mut self, elapsed: Duration, space: &mut [u8]) -> usize {
        let due = self.due_after(elapsed);
        let mut filled = 0;
        while self.made < due {
            self.write_row();
            let Some(place) = space[filled..].get_mut(..self.row.len()) else { return filled };
            place.copy_from_slice(&self.row);
            filled += self.row.len();
            self.made += 1;
        }
        self.due = self.begun + self.due_at(self.made).max(elapsed + TICK);
        filled
    }
}

impl Source for Rate {
    fn next(&mut self) -> Result<Next, StageError> {
        let place = Place::new("--rate", PlaceKind::Pipe);
        Ok(Next::Place(Place { line: self.made, offset: self.taken, ..place }))
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = self.make(self.begun.elapsed(), space);
        self.taken += count as u64;
        Ok(count)
    }

    fn looks_at(&self) -> Option<Instant> {
        Some(self.due)
    }

    fn taken(&self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32, start: &str) -> Rate {
        let start = Timestamp::parse(start.as_bytes()).unwrap();
        Rate { start, ..Rate::new(NonZeroU32::new(per_second).unwrap()) }
    }

    /// The rows made at each of these times, in milliseconds since the start.
    fn rows_at<const N: usize>(rate: &mut Rate, millis: [u64; N]) -> [String; N] {
        let mut space = vec![0; 100_000];
        millis.map(|millis| {
            let filled = rate.make(Duration::from_millis(millis), &mut space);
            String::from_utf8(space[..filled].to_vec()).unwrap()
        })
    }

    #[test]
    fn a_row_comes_when_it_is_due_with_the_time_at_which_it_was() {
        // 0 ms      333.3     666.6      1 s
        // 0         1         2          3
        let mut rate = rate(3, "2025-09-12T00:00:00Z");
        let got = rows_at(&mut rate, [0, 333, 334, 1_000]);
        let row = |time: &str, value: u64| {
            format!("{{\"timestamp\":\"2025-09-12T00:00:{time}Z\",\"value\":{value}}}\n")
        };
        assert_eq!(got[0], row("00.000", 0));
        assert_eq!(got[1], "");
        assert_eq!(got[2], row("00.333333", 1));
        assert_eq!(got[3], row("00.666666", 2) + &row("01.000", 3));
        assert_eq!(rate.due, rate.begun + Duration::from_nanos(1_333_333_334));
    }

    #[test]
    fn rows_of_a_tick_come_together() {
        let mut rate = rate(1_000_000, "2025-09-12T00:00:00Z");
        let [first, second] = rows_at(&mut rate, [0, 1]);
        assert_eq!((first.lines().count(), second.lines().count()), (1, 1_000));
        assert_eq!(rate.due, rate.begun + Duration::from_millis(11));
    }

    #[test]
    fn what_there_is_no_room_for_comes_next() {
        let mut rate = rate(1_000, "2025-09-12T00:00:00Z");
        let mut space = [0; 120];
        let now = Duration::from_millis(2);
        let counts = [0; 3].map(|_| {
            let filled = rate.make(now, &mut space);
            (memchr::memchr_iter(b'\n', &space[..filled]).count(), rate.due > rate.begun)
        });
        assert_eq!(counts, [(2, false), (1, true), (0, true)]);
    }
}

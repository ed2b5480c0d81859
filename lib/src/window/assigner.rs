//! Which windows a time belongs to.

use crate::time::TimeDelta;

/// Windows `[start + k·slide, start + k·slide + size)` for every integer k, cut
/// into *panes*: the longest pieces that lie wholly inside or outside of each
/// window. A record goes into one pane, however many windows share it.
///
/// All in microseconds. Times and lengths are bounded (by the years 0 to 9999,
/// and [`MAX_LENGTH`](Self::MAX_LENGTH)), so sums do not overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    size: i64,
    slide: i64,
    start: i64,
    pane: i64,
}

impl Windows {
    /// The longest size there can be: 10,000 years.
    pub const MAX_LENGTH: i64 = 10_000 * 366 * 86_400_000_000;

    /// The windows that a query asks for.
    ///
    /// # Panics
    ///
    /// Panics unless 0 < slide ≤ size ≤ [`MAX_LENGTH`](Self::MAX_LENGTH).
    pub fn new(size: TimeDelta, slide: TimeDelta, start: TimeDelta) -> Self {
        let (size, slide, start) = (size.micros, slide.micros, start.micros);
        assert!(0 < slide && slide <= size && size <= Self::MAX_LENGTH, "impossible window");
        Self {
            size,
            slide,
            start: start.rem_euclid(slide),
            pane: greatest_common_divisor(size, slide),
        }
    }

    /// Length of a window.
    pub fn size(&self) -> i64 {
        self.size
    }

    /// Length of a pane.
    pub fn pane_length(&self) -> i64 {
        self.pane
    }

    /// One window that holds all of time.
    pub const EVERYTHING: Self = Self { size: i64::MAX, slide: i64::MAX, start: 0, pane: i64::MAX };

    /// Whether windows overlap.
    pub fn overlap(&self) -> bool {
        self.slide < self.size
    }

    /// The number of a pane, counted from the one at the start offset.
    pub fn place(&self, pane: i64) -> i64 {
        (pane - self.start).div_euclid(self.pane)
    }

    /// Start of the pane with this number.
    pub fn start_of_place(&self, place: i64) -> i64 {
        self.start + place * self.pane
    }

    /// Start of the pane that a time falls into.
    #[inline]
    pub fn pane_of(&self, time: i64) -> i64 {
        time - (time - self.start).rem_euclid(self.pane)
    }

    /// End of the first window that contains the pane.
    pub fn first_end(&self, pane: i64) -> i64 {
        // The last window's start is at most the pane's; the first window is
        // the last one that still reaches past the pane's start.
        let beyond = pane - self.size;
        beyond - (beyond - self.start).rem_euclid(self.slide) + self.slide + self.size
    }

    /// End of the last window that contains the pane.
    pub fn last_end(&self, pane: i64) -> i64 {
        pane - (pane - self.start).rem_euclid(self.slide) + self.size
    }

    /// End of the first window that contains the pane and ends after `after`.
    pub fn next_end(&self, pane: i64, after: i64) -> Option<i64> {
        let (first, last) = (self.first_end(pane), self.last_end(pane));
        if after < first {
            return Some(first);
        }
        (after < last).then(|| first + ((after - first) / self.slide + 1) * self.slide)
    }

    /// How many windows contain the pane and end at or before `until`.
    pub fn closed(&self, pane: i64, until: i64) -> u64 {
        let (first, last) = (self.first_end(pane), self.last_end(pane));
        if until < first { 0 } else { ((until.min(last) - first) / self.slide + 1) as u64 }
    }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows(size: i64, slide: i64, start: i64) -> Windows {
        let delta = TimeDelta::from_micros;
        Windows::new(delta(size), delta(slide), delta(start))
    }

    #[test]
    fn tumbling_windows_are_half_open_and_aligned_to_the_epoch() {
        // -10        0          10         20
        // [---------)[---------)[---------)
        //       -4   0      7   10
        let windows = windows(10, 10, 0);
        for (time, start) in [(-10, -10), (-4, -10), (-1, -10), (0, 0), (7, 0), (9, 0), (10, 10)] {
            assert_eq!(windows.pane_of(time), start, "at {time}");
            assert_eq!(windows.first_end(start), start + 10);
            assert_eq!(windows.last_end(start), start + 10);
        }
    }

    #[test]
    fn sliding_windows_share_panes() {
        // 0    5    10   15   20
        // [---------)              k = 0
        //      [---------)         k = 1
        //           [---------)    k = 2
        let windows = windows(10, 5, 0);
        assert_eq!(windows.pane_of(7), 5);
        assert_eq!((windows.first_end(5), windows.last_end(5)), (10, 15));
        assert_eq!(windows.next_end(5, 9), Some(10));
        assert_eq!(windows.next_end(5, 10), Some(15));
        assert_eq!(windows.next_end(5, 15), None);
        assert_eq!([9, 10, 14, 15, 99].map(|until| windows.closed(5, until)), [0, 1, 1, 2, 2]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            slide in 1_i64..20, more in 0_i64..40, start in 0_i64..20, time in -200_i64..200, until in -200_i64..200,
        ) {
            let size = slide + more;
            let windows = windows(size, slide, start);
            let start = start % slide;
            let ends: Vec<i64> = (-400..400)
                .map(|k| start + k * slide)
                .filter(|start| (*start..start + size).contains(&time))
                .map(|start| start + size)
                .collect();
            let pane = windows.pane_of(time);
            prop_assert!((pane..pane + windows.pane_length()).contains(&time));
            prop_assert_eq!(windows.first_end(pane), ends[0]);
            prop_assert_eq!(windows.last_end(pane), *ends.last().unwrap());
            prop_assert_eq!(windows.closed(pane, until), ends.iter().filter(|&&end| end <= until).count() as u64);
            prop_assert_eq!(windows.next_end(pane, until), ends.into_iter().find(|&end| end > until));
        }
    }
}

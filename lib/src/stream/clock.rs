//! Processing time, as an operator is told it.

use std::time::Duration;

use crate::time::Timestamp;

/// Where a stage's processing time comes from: the wall clock until the stream
/// brings a heartbeat, and from then on its heartbeats alone, so that a
/// recorded stream gives the same bytes whenever it is replayed.
///
/// What either of them gives never goes back: a clock that is put back, or a
/// heartbeat from before, is held at its latest time so far. The two are not
/// compared with one another, since a recording may be of any age.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProcessingClock {
    latest: Option<Timestamp>,
    has_heartbeats: bool,
}

impl ProcessingClock {
    /// The time now that the wall clock shows `wall`; `None` if it does not
    /// count any more.
    pub(super) fn at_wall(&mut self, wall: Timestamp) -> Option<Timestamp> {
        (!self.has_heartbeats).then(|| self.hold(wall))
    }

    /// Lets heartbeats take over from the wall clock, if they have not yet;
    /// tells whether the wall clock has counted until now.
    pub(super) fn hand_over(&mut self) -> bool {
        if self.has_heartbeats {
            return false;
        }
        self.has_heartbeats = true;
        self.latest.take().is_some()
    }

    /// The time now that a heartbeat says `at`, after
    /// [`hand_over`](Self::hand_over).
    pub(super) fn at_heartbeat(&mut self, at: Timestamp) -> Timestamp {
        self.hold(at)
    }

    fn hold(&mut self, time: Timestamp) -> Timestamp {
        let latest = self.latest.map_or(time, |latest| latest.max(time));
        self.latest = Some(latest);
        latest
    }

    /// How long to wait for `wake`: not at all if it has passed, and `None`
    /// for as long as it takes if only heartbeats can bring it.
    pub(super) fn wait_for(&mut self, wake: Timestamp, wall: Timestamp) -> Option<Duration> {
        let now = self.at_wall(wall)?;
        let micros = i128::from(wake.micros) - i128::from(now.micros);
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn time_never_goes_back() {
        let mut clock = ProcessingClock::default();
        for (wall, now) in [(10, 10), (5, 10), (11, 11)] {
            assert_eq!(clock.at_wall(at(wall)), Some(at(now)), "wall {wall}");
        }
        assert!(clock.hand_over());
        for (heartbeat, now) in [(3, 3), (20, 20), (19, 20)] {
            assert_eq!(clock.at_heartbeat(at(heartbeat)), at(now), "heartbeat {heartbeat}");
        }
        assert_eq!(clock.at_wall(at(30)), None, "heartbeats have taken over");
        assert!(!clock.hand_over(), "for good");
    }

    #[test]
    fn heartbeats_from_the_start_replace_nothing() {
        assert!(!ProcessingClock::default().hand_over());
    }

    #[test]
    fn waits_fit_whatever_the_times_are() {
        let mut clock = ProcessingClock::default();
        let micros = |micros| Some(Duration::from_micros(micros));
        for (wake, wall, wait) in [
            (-7, -10, micros(3)),
            (-7, -7, micros(0)),
            (-7, 0, micros(0)),
            (i64::MIN, 0, micros(0)),
            (i64::MAX, 0, micros(i64::MAX as u64)),
            // The clock was put back by 5 µs and is held at 0 until it has
            // caught up.
            (3, -5, micros(3)),
        ] {
            assert_eq!(clock.wait_for(at(wake), at(wall)), wait, "from {wall} to {wake}");
        }
        clock.hand_over();
        assert_eq!(clock.wait_for(at(0), at(0)), None);
    }
}

//! The stage that makes the stream's control lines.

use super::{Input, Kept, Output, StageError, Stats};
use crate::line::{Control, Start};
use crate::time::{TimeDelta, Timestamp};

/// What the first stage of a stream puts into it besides records.
///
/// The stream begins with `start`, and a heartbeat directly behind it if there
/// are to be any, so that no stage ever sees another clock. It ends with `end`
/// and, under a checkpoint, a last barrier; or with a last barrier and
/// `suspend` if only the run ends and another one can go on from its
/// positions.
#[derive(Clone, Debug)]
pub struct Origin {
    start: Start,
    heartbeat: Option<Beat>,
    barrier: Option<Beat>,
    /// The epoch that the next barrier ends.
    epoch: u64,
    /// Whether the data had ended in an earlier run.
    had_ended: bool,
    is_silent: bool,
}

/// Something that is due every so often.
#[derive(Clone, Copy, Debug)]
struct Beat {
    every: TimeDelta,
    /// `None` before the first.
    due: Option<Timestamp>,
}

impl Beat {
    const fn new(every: TimeDelta) -> Self {
        Self { every, due: None }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        // A wall clock that was put back must not make it wait for longer.
        self.due.is_none_or(|due| now >= due || due.micros - now.micros > self.every.micros)
    }

    fn rearm(&mut self, now: Timestamp) {
        self.due = Some(Timestamp::from_micros(now.micros.saturating_add(self.every.micros)));
    }
}

impl Origin {
    /// The origin of a stream without checkpoint that carries a heartbeat every
    /// so often.
    pub fn new(heartbeat: TimeDelta) -> Self {
        let start = Start { line: None, run: None, epoch: None, pending: None, stage: 0 };
        Self { heartbeat: Some(Beat::new(heartbeat)), ..Self::of(start) }
    }

    /// The origin of a stream whose positions are kept every so often. `start`
    /// names the epoch that it goes on from.
    pub fn with_checkpoint(
        start: Start,
        interval: TimeDelta,
        heartbeat: Option<TimeDelta>,
    ) -> Self {
        let epoch = start.epoch.unwrap_or(0) + 1;
        let heartbeat = heartbeat.map(Beat::new);
        Self { heartbeat, barrier: Some(Beat::new(interval)), epoch, ..Self::of(start) }
    }

    const fn of(start: Start) -> Self {
        Self { start, heartbeat: None, barrier: None, epoch: 0, had_ended: false, is_silent: false }
    }

    /// Whether a later run can go on where this one stops.
    pub(super) fn can_resume(&self) -> bool {
        self.barrier.is_some()
    }

    /// Brings the stage back to where the stream goes on, by `begin`. Where that is
    /// its very beginning, the first positions are kept before.
    pub(super) fn resume(
        &mut self,
        input: &mut dyn Input,
        begin: impl FnOnce(&Start) -> Result<Kept, StageError>,
    ) -> Result<Kept, StageError> {
        if self.start.epoch == Some(0) {
            input.save(0, 0)?;
        }
        let kept = begin(&self.start)?;
        self.had_ended = kept.has_ended;
        Ok(kept)
    }

    /// Writes no control lines: with no stage behind, nobody would read them.
    pub(super) fn silence(&mut self) {
        self.is_silent = true;
    }

    /// Writes the first lines.
    pub(super) fn begin(&mut self, now: Timestamp, out: &mut Output) {
        // Under a checkpoint this is stage 0, and the next one is 1.
        let stage = self.start.stage + u32::from(self.can_resume());
        self.send(&Control::Start(Start { stage, ..self.start.clone() }), out);
        if let Some(barrier) = &mut self.barrier {
            barrier.rearm(now);
        }
        self.beat(now, out);
    }

    /// When it has to be called again.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        [self.heartbeat, self.barrier].into_iter().flatten().filter_map(|beat| beat.due).min()
    }

    /// Writes a heartbeat if one is due.
    pub(super) fn beat(&mut self, now: Timestamp, out: &mut Output) {
        if let Some(heartbeat) = self.heartbeat.as_mut().filter(|beat| beat.is_due(now)) {
            heartbeat.rearm(now);
            self.send(&Control::Heartbeat { at: now }, out);
        }
    }

    /// Whether the present epoch is to end by now. Asked once for each.
    pub(super) fn is_barrier_due(&mut self, now: Timestamp) -> bool {
        let Some(barrier) = self.barrier.as_mut().filter(|barrier| barrier.is_due(now)) else {
            return false;
        };
        barrier.rearm(now);
        true
    }

    /// Number of the present epoch.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Ends the present epoch, all of which has been kept.
    pub(super) fn barrier(&mut self, out: &mut Output) {
        self.send(&Control::Barrier { epoch: self.epoch }, out);
        self.epoch += 1;
    }

    /// Whether an earlier run has come to the end of the data, and there has been
    /// nothing new.
    pub(super) fn is_finished(&self, stats: &Stats) -> bool {
        self.had_ended && stats.bytes_in == 0
    }

    /// Says that the data have ended. A last barrier is to follow.
    pub(super) fn end(&self, out: &mut Output) {
        self.send(&Control::End, out);
    }

    /// Says that the run has ended, behind a last barrier.
    pub(super) fn suspend(&self, out: &mut Output) {
        self.send(&Control::Suspend, out);
    }

    fn send(&self, control: &Control, out: &mut Output) {
        if !self.is_silent {
            out.control(control);
        }
    }
}

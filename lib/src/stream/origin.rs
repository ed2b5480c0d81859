//! The stage that makes the stream's control lines.

use super::{Input, Output, StageError};
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
        Self { start, heartbeat: Some(Beat::new(heartbeat)), barrier: None, epoch: 0 }
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
        Self { start, heartbeat, barrier: Some(Beat::new(interval)), epoch }
    }

    /// Whether a later run can go on where this one stops.
    pub(super) fn can_resume(&self) -> bool {
        self.barrier.is_some()
    }

    /// Writes the first lines.
    pub(super) fn begin(&mut self, now: Timestamp, out: &mut Output) {
        send(&Control::Start(self.start.clone()), out);
        if let Some(barrier) = &mut self.barrier {
            barrier.rearm(now);
        }
        self.beat(now, out);
    }

    /// When it has to be called again.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        [self.heartbeat, self.barrier].into_iter().flatten().filter_map(|beat| beat.due).min()
    }

    /// Writes the lines that are due. `consumed` is where the present source
    /// has been read up to.
    pub(super) fn on_clock(
        &mut self,
        now: Timestamp,
        consumed: u64,
        input: &mut dyn Input,
        out: &mut Output,
    ) -> Result<(), StageError> {
        self.beat(now, out);
        if self.barrier.is_some_and(|barrier| barrier.is_due(now)) {
            self.barrier(consumed, input, out)?;
            if let Some(barrier) = &mut self.barrier {
                barrier.rearm(now);
            }
        }
        Ok(())
    }

    fn beat(&mut self, now: Timestamp, out: &mut Output) {
        if let Some(heartbeat) = self.heartbeat.as_mut().filter(|beat| beat.is_due(now)) {
            heartbeat.rearm(now);
            send(&Control::Heartbeat { at: now }, out);
        }
    }

    /// Ends an epoch. What has been read is handed on before its positions are
    /// kept: after a crash lines may come twice, but none is missing.
    fn barrier(
        &mut self,
        consumed: u64,
        input: &mut dyn Input,
        out: &mut Output,
    ) -> Result<(), StageError> {
        out.flush()?;
        input.save(self.epoch, consumed)?;
        send(&Control::Barrier { epoch: self.epoch }, out);
        self.epoch += 1;
        Ok(())
    }

    /// Writes the last lines of a stream whose data have ended.
    pub(super) fn end(
        &mut self,
        consumed: u64,
        input: &mut dyn Input,
        out: &mut Output,
    ) -> Result<(), StageError> {
        send(&Control::End, out);
        if self.can_resume() { self.barrier(consumed, input, out) } else { Ok(()) }
    }

    /// Writes the last lines of a run that another one goes on from.
    pub(super) fn suspend(
        &mut self,
        consumed: u64,
        input: &mut dyn Input,
        out: &mut Output,
    ) -> Result<(), StageError> {
        self.barrier(consumed, input, out)?;
        send(&Control::Suspend, out);
        Ok(())
    }
}

fn send(control: &Control, out: &mut Output) {
    let mut line = Vec::new();
    control.write(&mut line);
    out.control(&line);
}

//! What a stage does with the control lines that ride in its input.

use super::checkpoint::{Checkpoint, Kept, Numbering};
use super::clock::ProcessingClock;
use super::driver::Options;
use super::{Operator, Output, StageError};
use crate::line::{Control, Position, Start};

/// What is known of the stream's control lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlState {
    /// No line has been read.
    Undecided,
    /// The stream has none: what looks like one is a forgery, and a record.
    Absent,
    /// The stream began with `start`.
    Present,
    /// The stream has been suspended.
    Suspended,
    /// The data have ended and the operator knows.
    Ended,
}

pub(super) struct ControlLines {
    pub(super) state: ControlState,
    forward: bool,
    pub(super) numbering: Numbering,
}

/// A line and where it stands in this run's stream.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) line: &'a [u8],
    pub(super) position: Position,
}

impl ControlLines {
    pub(super) fn new(options: &Options) -> Self {
        let state =
            if options.accept_control { ControlState::Undecided } else { ControlState::Absent };
        Self { state, forward: options.forward_control, numbering: Numbering::default() }
    }

    /// Whether the stream has said that this was all.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, ControlState::Suspended | ControlState::Ended)
    }

    /// Acts on the line if it is a control line; tells whether it was.
    #[cold]
    pub(super) fn take(
        &mut self,
        at: At<'_>,
        clock: &mut ProcessingClock,
        operator: &mut dyn Operator,
        out: &mut Output,
        checkpoint: &mut Option<&mut (dyn Checkpoint + '_)>,
    ) -> Result<bool, StageError> {
        let may_be = Control::is_control(at.line);
        let control = match (self.state, may_be.then(|| Control::parse(at.line))) {
            (ControlState::Undecided, Some(Ok(control @ Control::Start(_)))) => control,
            (ControlState::Undecided, _) if checkpoint.is_some() => return Err(no_start()),
            (ControlState::Undecided, _) => {
                self.state = ControlState::Absent;
                return Ok(false);
            }
            (_, None) => return Ok(false),
            (_, Some(Ok(control))) => control,
            (_, Some(Err(error))) => {
                let (source, number) = (out.source(), out.line_number());
                return Err(StageError::Failed(format!("{source}:{number}: {error}")));
            }
        };
        match &control {
            Control::Start(_) if self.state == ControlState::Ended => {
                return Err(behind_the_end(out));
            }
            Control::Start(start) => {
                self.start(start, operator, out, checkpoint.as_deref_mut())?;
            }
            Control::Suspend => self.state = ControlState::Suspended,
            Control::Heartbeat { at } if self.state == ControlState::Present => {
                if clock.hand_over() {
                    operator.on_clock_change();
                }
                operator.on_clock(clock.at_heartbeat(*at), out)?;
            }
            _ => {}
        }
        operator.on_control(&control, out)?;
        if control == Control::End && self.state != ControlState::Ended {
            // What the end settles belongs before the line that says it.
            operator.on_end(out)?;
            self.state = ControlState::Ended;
        }
        if let (Control::Barrier { epoch }, Some(checkpoint)) =
            (&control, checkpoint.as_deref_mut())
        {
            out.flush()?;
            let has_ended = self.state == ControlState::Ended;
            let kept = Kept { has_ended, read: self.numbering.read_before(at.position) };
            checkpoint.barrier(*epoch, kept, operator, out)?;
        }
        self.numbering.pass_control(at.line);
        if self.forward {
            match (control, checkpoint.as_deref_mut()) {
                (Control::Start(start), Some(checkpoint)) => {
                    let stage = start.stage + 1;
                    out.control(&Control::Start(Start { stage, ..start }));
                    out.flush()?;
                    checkpoint.has_forwarded()?;
                }
                _ => out.control_line(at.line),
            }
        }
        Ok(true)
    }

    /// The stream begins.
    fn start(
        &mut self,
        start: &Start,
        operator: &mut dyn Operator,
        out: &mut Output,
        checkpoint: Option<&mut (dyn Checkpoint + '_)>,
    ) -> Result<(), StageError> {
        self.state = ControlState::Present;
        match checkpoint {
            Some(_) if start.line.is_none() => return Err(no_start()),
            Some(checkpoint) => {
                let kept = checkpoint.begin(start, operator, out)?;
                self.numbering.resume(kept.read);
                self.forward &= !checkpoint.is_last();
            }
            None if start.line.is_some() && operator.is_stateful() => {
                self.forward = false;
                out.message(
                    "this stage keeps state but has no --checkpoint: \
                     control lines end here, and the stages behind cannot be exactly-once",
                );
            }
            None => {}
        }
        Ok(())
    }
}

/// The error of a stage under a checkpoint whose input is no stream of one.
#[cold]
fn no_start() -> StageError {
    let text = "under --checkpoint the input has to come from `ingest --checkpoint`, stage by \
                stage: it begins with no such line, or something before this stage removes it";
    StageError::Failed(text.to_owned())
}

/// The error of a stream that goes on after its end.
#[cold]
pub(super) fn behind_the_end(out: &Output) -> StageError {
    let (source, number) = (out.source(), out.line_number());
    StageError::Failed(format!(
        "{source}:{number}: the stream has ended above this line; read recordings one at a time"
    ))
}

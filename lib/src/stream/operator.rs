//! What a stage does with its input.

use std::io;
use std::time::Duration;

use super::{Output, RestoreError, SnapshotReader, SnapshotWriter, Stats};
use crate::line::{Control, Line};

/// A stage of the pipeline, driven by its input.
///
/// The driver calls [`on_record`](Self::on_record) and
/// [`on_control`](Self::on_control) in input order, then
/// [`on_end`](Self::on_end) if the data have ended (and not only this run).
/// After an error it calls nothing more.
///
/// An operator reads no clock, file or environment, so its output is a
/// function of its input. All that it remembers from one record to the next
/// that could show in later output goes through
/// [`snapshot`](Self::snapshot) and [`restore`](Self::restore).
pub trait Operator {
    /// Takes in one line that is neither blank nor a control line.
    ///
    /// # Errors
    ///
    /// Fails when `out` does. A record that cannot be used is given to
    /// [`Output::reject`] and passed over.
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError>;

    /// Acts on a control line. The driver forwards it afterwards.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    fn on_control(&mut self, _control: &Control, _out: &mut Output) -> Result<(), StageError> {
        Ok(())
    }

    /// Prints what only the end of the data settles.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    fn on_end(&mut self, _out: &mut Output) -> Result<(), StageError> {
        Ok(())
    }

    /// How long the input may be silent before [`on_idle`](Self::on_idle) is
    /// called; `None` for not at all. Asked anew each time.
    fn idle_after(&self) -> Option<Duration> {
        None
    }

    /// The input has been silent for [`idle_after`](Self::idle_after).
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    fn on_idle(&mut self, _out: &mut Output) -> Result<(), StageError> {
        Ok(())
    }

    /// Whether output depends on more than the record at hand.
    fn is_stateful(&self) -> bool;

    /// Writes the operator's state.
    fn snapshot(&self, _state: &mut SnapshotWriter) {}

    /// Takes on a state that [`snapshot`](Self::snapshot) wrote, in place of
    /// its own, which must be fresh.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are no such state of an operator like this one.
    fn restore(&mut self, _state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }

    /// Fills in the figures that only the operator knows.
    fn stats(&self, _stats: &mut Stats) {}
}

/// Why a stage cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// Output failed. A closed pipe is told apart by
    /// [`is_reader_gone`](Self::is_reader_gone).
    #[error("cannot write to {to}")]
    Write {
        /// Where to, such as `stdout`.
        to: String,
        /// What the system said.
        source: io::Error,
    },
    /// Input failed.
    #[error("cannot read {from}")]
    Read {
        /// Where from.
        from: String,
        /// What the system said.
        source: io::Error,
    },
    /// A line was rejected under `--strict`.
    #[error("{0} (--strict)")]
    Strict(String),
    /// Anything else, in words for the user.
    #[error("{0}")]
    Failed(String),
}

impl StageError {
    /// Whether stdout's reader has gone, as `head` does when it has enough.
    pub fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Write { to, source }
            if source.kind() == io::ErrorKind::BrokenPipe && to == super::output::STDOUT)
    }
}

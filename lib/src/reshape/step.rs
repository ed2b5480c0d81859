//! What the steps have in common.

use std::cell::Cell;
use std::fmt;

use crate::line::{Reason, ScanError};
use crate::stream::{Output, StageError};
use crate::time::Timestamp;

/// A step on a record's way: it hands on none, one or several records.
pub(super) trait Step: fmt::Debug {
    /// Takes in a record in JSON and hands what becomes of it to
    /// [`rest.pass`](Rest::pass), itself if it does not change.
    ///
    /// # Errors
    ///
    /// Fails if the record cannot be read, or if what comes behind fails.
    fn apply(&mut self, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError>;
}

/// Why a step did not come to its end.
#[derive(Debug)]
pub(super) enum StepError {
    /// The record is to be rejected.
    Record(ScanError),
    /// The stage cannot go on.
    Stage(StageError),
}

impl From<ScanError> for StepError {
    fn from(error: ScanError) -> Self {
        Self::Record(error)
    }
}

impl From<StageError> for StepError {
    fn from(error: StageError) -> Self {
        Self::Stage(error)
    }
}

/// What all steps know and count.
#[derive(Debug)]
pub(super) struct Tally {
    /// Processing time.
    pub(super) now: Timestamp,
    /// Records that a step did not hand on.
    pub(super) filtered: u64,
    /// Values that became null, since they could not be cast.
    pub(super) casts_failed: Cell<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { now: Timestamp::EPOCH, filtered: 0, casts_failed: Cell::new(0) }
    }
}

/// What is behind a step: the other steps, then the output.
#[derive(Debug)]
pub(super) struct Rest<'a> {
    steps: &'a mut [Box<dyn Step>],
    pub(super) tally: &'a mut Tally,
    out: &'a mut Output,
}

impl<'a> Rest<'a> {
    pub(super) fn new(
        steps: &'a mut [Box<dyn Step>],
        tally: &'a mut Tally,
        out: &'a mut Output,
    ) -> Self {
        Self { steps, tally, out }
    }

    /// Takes a record from the step before.
    pub(super) fn pass(&mut self, record: &[u8]) -> Result<(), StepError> {
        let Some((step, steps)) = self.steps.split_first_mut() else {
            return Ok(self.out.copy_row(record)?);
        };
        if u32::try_from(record.len()).is_err() {
            // Places within a record are kept in 32 bits.
            let what = "longer than 4 GiB once it was reshaped";
            return Err(ScanError { reason: Reason::TooLong, at: 0, what }.into());
        }
        step.apply(record, &mut Rest { steps, tally: self.tally, out: self.out })
    }

    /// Counts a record that a step does not hand on.
    pub(super) fn drop_record(&mut self) {
        self.tally.filtered += 1;
    }
}

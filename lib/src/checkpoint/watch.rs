//! Whether a line is whole: the first stage looks for a last one.

use std::path::Path;
use std::time::{Duration, Instant};

use super::CheckpointError;
use super::registry::{is_gone, members};

/// How long stages may take to hand `start` on, after the one before them has.
const HAND_ON: Duration = Duration::from_secs(10);

/// Waits for the last stage of a run to come forward.
#[derive(Debug)]
pub(super) struct Watch {
    run: String,
    /// The furthest stage that has handed `start` on, and since when it is that.
    furthest: u32,
    since: Instant,
}

impl Watch {
    pub(super) fn new(run: &str) -> Self {
        Self { run: run.to_owned(), furthest: 0, since: Instant::now() }
    }

    /// `start` has been sent.
    pub(super) fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// How long until it is time to look.
    pub(super) fn due_in(&self) -> Duration {
        HAND_ON.saturating_sub(self.since.elapsed())
    }

    /// Whether there is a last stage; while there is none yet, fails if none is
    /// to be hoped for.
    pub(super) fn is_whole(&mut self, folder: &Path) -> Result<bool, CheckpointError> {
        let members = members(folder)?;
        let of_run = members.iter().filter(|(_, member)| member.run == self.run);
        let Some((number, furthest)) = of_run.max_by_key(|(number, _)| *number) else {
            return Ok(false);
        };
        if furthest.is_last {
            return Ok(true);
        }
        // One that has handed it on may have come to its end before the next one has begun.
        if *number > 0 && !furthest.has_forwarded && is_gone(folder, *number) {
            let gone = furthest.describe();
            return Err(CheckpointError::Other(format!("{gone} has gone before the end")));
        }
        if *number > self.furthest || !furthest.has_forwarded {
            (self.furthest, self.since) = (*number, Instant::now());
        } else if self.due_in().is_zero() {
            return Err(CheckpointError::Other(format!(
                "no stage behind {} has come forward in {} s: end the line with >>FILE, `emit` or \
                 `export-prom`, or give {} --last if what is behind it is no stage",
                furthest.describe(),
                HAND_ON.as_secs(),
                furthest.name
            )));
        }
        Ok(false)
    }
}

//! Output that becomes visible an epoch at a time.

use super::StageError;

/// A sink that writes each epoch of a checkpoint in one transaction, in which
/// the epoch's number is kept: after a crash it can say whether an epoch has
/// become visible.
pub trait Transaction {
    /// Takes over from an earlier run: what that has not committed will never
    /// be seen. Returns what was committed last, if that is known.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    fn recover(&mut self) -> Result<Option<Committed>, StageError>;

    /// Makes everything since the last call visible, as one with the number of
    /// the epoch.
    ///
    /// # Errors
    ///
    /// Fails if that is not so for sure.
    fn commit(&mut self, committed: &Committed) -> Result<(), StageError>;
}

/// The epoch that a sink has committed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Identity of the checkpoint's line.
    pub line: String,
    /// Number of the epoch.
    pub epoch: u64,
}

//! Who works with a folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::CheckpointError;

/// How long to wait for the stages of an earlier run to go.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often to look whether they have gone.
const LOOK: Duration = Duration::from_millis(10);

/// How a file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// By one process.
    Exclusive,
    /// By several.
    Shared,
}

/// Locks a file of the folder, until what is returned is dropped; `None` if
/// others have it all the while. `wait` is called once if it takes a moment.
pub(super) fn lock(
    path: &Path,
    share: Share,
    patience: Duration,
    wait: impl FnOnce(),
) -> Result<Option<File>, CheckpointError> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
    let file = file.map_err(CheckpointError::io(path))?;
    let deadline = Instant::now() + patience;
    let soon = Instant::now() + Duration::from_secs(1);
    let mut wait = Some(wait);
    loop {
        let locked = match share {
            Share::Exclusive => file.try_lock(),
            Share::Shared => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(CheckpointError::io(path)(source)),
        }
        if Instant::now() >= soon
            && let Some(wait) = wait.take()
        {
            wait();
        }
        thread::sleep(LOOK);
    }
}

/// Keeps a lock until the process ends: a lock is the file's, however often that
/// is open.
pub(super) fn leak(file: &File) -> io::Result<()> {
    file.try_clone().map(std::mem::forget)
}

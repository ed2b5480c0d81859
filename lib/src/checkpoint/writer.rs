//! Makes epochs durable, in a thread of its own: neither the disk nor the
//! stages before hold up the stream.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::commit::{Commit, Commits};
use super::file::numbers;
use super::registry::{is_gone, stage_folder};
use super::{CheckpointError, state};

/// How many epochs may be on their way. Beyond that a disk that is too slow
/// holds up the stream after all, or memory would fill.
const ON_THEIR_WAY: usize = 2;
/// How often to look whether the other stages have kept an epoch.
const LOOK: Duration = Duration::from_millis(2);
/// With how many of those looks to look whether they are still there.
const GONE: u32 = 10;

/// An epoch to be kept.
#[derive(Debug)]
pub(super) struct Epoch {
    pub(super) number: u64,
    /// The file of the stage's state, but for its checksum.
    pub(super) state: Vec<u8>,
    /// Files whose content has to be durable before.
    pub(super) files: Vec<(String, File)>,
    pub(super) then: Then,
}

/// What is to be done once an epoch is kept.
#[derive(Debug)]
pub(super) enum Then {
    /// Nothing: another stage commits it.
    Nothing,
    /// Commit it, when all stages before have kept theirs.
    Commit(Commit),
    /// Say that all stages have kept theirs.
    Tell(SyncSender<()>),
}

/// Hands epochs to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    epochs: Option<SyncSender<Epoch>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    failure: Mutex<Option<CheckpointError>>,
    has_failed: AtomicBool,
    on_their_way: AtomicUsize,
}

impl Writer {
    /// A writer for the stage with that number of the checkpoint in `folder`.
    pub(super) fn new(folder: &Path, number: u32) -> Self {
        let (sender, receiver) = sync_channel(ON_THEIR_WAY);
        let shared = Arc::new(Shared::default());
        let work = Work {
            folder: folder.to_owned(),
            stage: stage_folder(folder, number),
            number,
            shared: Arc::clone(&shared),
        };
        let thread = thread::spawn(move || work.run(&receiver));
        Self { epochs: Some(sender), thread: Some(thread), shared }
    }

    /// Keeps an epoch, by and by.
    pub(super) fn keep(&mut self, epoch: Epoch) -> Result<(), CheckpointError> {
        self.shared.on_their_way.fetch_add(1, Ordering::AcqRel);
        let sent = self.epochs.as_ref().is_some_and(|epochs| epochs.send(epoch).is_ok());
        if sent { self.check() } else { self.finish() }
    }

    /// Whether epochs are on their way.
    pub(super) fn is_busy(&self) -> bool {
        self.shared.on_their_way.load(Ordering::Acquire) > 0
    }

    /// Keeps an epoch and waits until all stages have.
    pub(super) fn keep_now(&mut self, epoch: Epoch) -> Result<(), CheckpointError> {
        let (tell, told) = sync_channel(1);
        self.keep(Epoch { then: Then::Tell(tell), ..epoch })?;
        // Whoever should tell is gone after a failure, and has said why at its end.
        if told.recv().is_ok() { Ok(()) } else { self.finish() }
    }

    /// Tells of a failure.
    pub(super) fn check(&self) -> Result<(), CheckpointError> {
        if self.shared.has_failed.load(Ordering::Acquire) { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> CheckpointError {
        let mut failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let told = || CheckpointError::Other("the checkpoint could not be written".to_owned());
        failure.take().unwrap_or_else(told)
    }

    /// Waits until all epochs are kept.
    pub(super) fn finish(&mut self) -> Result<(), CheckpointError> {
        self.epochs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has shown itself; what it left undone is a failure here.
            if thread.join().is_err() {
                return Err(self.failure());
            }
        }
        self.check()
    }
}

/// What the thread works on.
struct Work {
    folder: PathBuf,
    /// The stage's own folder.
    stage: PathBuf,
    number: u32,
    shared: Arc<Shared>,
}

impl Work {
    fn run(&self, epochs: &Receiver<Epoch>) {
        while let Ok(epoch) = epochs.recv() {
            let kept = self.keep(epoch);
            self.shared.on_their_way.fetch_sub(1, Ordering::AcqRel);
            if let Err(error) = kept {
                *self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                self.shared.has_failed.store(true, Ordering::Release);
                // Whoever hands in the next one finds nobody here.
                return;
            }
        }
    }

    fn keep(&self, epoch: Epoch) -> Result<(), CheckpointError> {
        for (name, file) in &epoch.files {
            file.sync_data().map_err(CheckpointError::io(Path::new(name)))?;
        }
        state::save(&state_file(&self.stage, epoch.number), &epoch.state)?;
        let commits = Commits::new(&self.folder);
        match epoch.then {
            Then::Nothing => {}
            Then::Commit(commit) => {
                self.wait_for_others(epoch.number)?;
                commits.save(&commit)?;
            }
            Then::Tell(tell) => {
                self.wait_for_others(epoch.number)?;
                // Nobody listens after a failure there.
                let _ = tell.send(());
            }
        }
        let committed = commits.newest()?.unwrap_or(0);
        for old in numbers(&self.stage, "state.", "")?.into_iter().filter(|old| old + 1 < committed)
        {
            // One that stays is removed the next time.
            let _ = fs::remove_file(state_file(&self.stage, old));
        }
        Ok(())
    }

    /// Waits until the stages before this one have kept an epoch.
    fn wait_for_others(&self, epoch: u64) -> Result<(), CheckpointError> {
        for number in 0..self.number {
            let folder = stage_folder(&self.folder, number);
            let file = state_file(&folder, epoch);
            let mut looks = 0_u32;
            while !file.exists() {
                // Asked before the last look, or what was kept in between would be missed.
                let is_gone = looks % GONE == GONE - 1 && is_gone(&self.folder, number);
                if is_gone && !file.exists() {
                    return Err(CheckpointError::Other(format!(
                        "stage {number} has gone without keeping epoch {epoch}, which is not \
                         committed"
                    )));
                }
                looks += 1;
                thread::sleep(LOOK);
            }
            // It can be seen before its name is on the disk.
            let synced = File::open(&folder).and_then(|folder| folder.sync_all());
            synced.map_err(CheckpointError::io(&folder))?;
        }
        Ok(())
    }
}

/// The file of an epoch in a stage's folder.
pub(super) fn state_file(stage: &Path, epoch: u64) -> PathBuf {
    stage.join(format!("state.{epoch}"))
}

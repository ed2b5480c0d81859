//! A stage's part of a checkpoint.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::commit::{Commit, Commits};
use super::directory::{self, Directory};
use super::file::numbers;
use super::lock::{PATIENCE, Share, leak, lock};
use super::pending;
use super::registry::{Member, is_gone, lock_file, members, open_stage};
use super::state::State;
use super::writer::{Epoch, Then, Writer, state_file};
use super::{CheckpointError, Plan};
use crate::checksum::fnv1a;
use crate::line::Start;
use crate::stream::{
    Checkpoint, Committed, Kept, Operator, Output, SnapshotReader, StageError, Transaction,
};

/// How soon to look again for stages that are just beginning.
const MOMENT: Duration = Duration::from_millis(10);
/// How soon to ask again for what goes on beside.
const SOON: Duration = Duration::from_millis(500);
/// How long stages may take to hand `start` on, after the one before them has.
const HAND_ON: Duration = Duration::from_secs(10);

/// What is behind a stage.
#[derive(Debug)]
pub enum Role {
    /// Another stage.
    Inner,
    /// A file, opened for appending: it is cut to what is committed at a restart.
    File(File),
    /// Something that is no stage and takes what comes, which may come again
    /// after a restart.
    Foreign,
}

/// A stage's part of the checkpoint in a folder.
pub struct StageCheckpoint {
    folder: PathBuf,
    plan: Plan,
    role: Role,
    number: u32,
    /// Identity of the line.
    line: String,
    /// Whether it holds its locks, which keep the run's successor away until this
    /// process has gone, and show that it is there.
    has_joined: bool,
    /// Whether the transactions of an earlier run are over.
    has_recovered: bool,
    member: Option<Member>,
    writer: Option<Writer>,
    /// Set on the first stage until the line is known to be whole.
    watch: Option<Watch>,
}

/// The first stage looks whether there is a last one.
#[derive(Debug)]
struct Watch {
    run: String,
    /// The furthest stage that has handed `start` on, and since when it is that.
    furthest: u32,
    since: Instant,
}

impl StageCheckpoint {
    /// A stage that computes `plan` and has `role`. Nothing is touched before
    /// `start`.
    pub fn new(folder: &Path, plan: Plan, role: Role) -> Self {
        Self {
            folder: folder.to_owned(),
            plan,
            role,
            number: 0,
            line: String::new(),
            has_joined: false,
            has_recovered: false,
            member: None,
            writer: None,
            watch: None,
        }
    }

    /// Takes part in the run that the stream comes from.
    fn join(&mut self, start: &Start) -> Result<(), CheckpointError> {
        let folder = &self.folder;
        let (line, run) = (start.line.as_deref().unwrap_or(""), start.run.as_deref().unwrap_or(""));
        if directory::read(folder, "line")?.as_deref() != Some(line) {
            return Err(CheckpointError::Other(format!(
                "{} is not the folder that `ingest` works with: give all stages the same \
                 --checkpoint",
                folder.display()
            )));
        }
        (self.number, self.line) = (start.stage, line.to_owned());
        if !self.has_joined {
            self.has_joined = true;
            open_stage(folder, self.number)?;
            let own = (lock_file(folder, self.number), Share::Exclusive);
            // The first stage has the whole folder.
            let all = (start.stage > 0).then(|| (folder.join("stages"), Share::Shared));
            for (path, share) in all.into_iter().chain([own]) {
                let held = lock(&path, share, PATIENCE, || {})?;
                let held = held.ok_or_else(|| directory::in_use(folder))?;
                leak(&held).map_err(CheckpointError::io(&path))?;
            }
        }
        if directory::read(folder, "run")?.as_deref() != Some(run) {
            return Err(CheckpointError::Other(format!(
                "{} belongs to a later run of the line by now",
                folder.display()
            )));
        }
        open_stage(folder, self.number)?;
        let member = Member::new(run, self.plan.stage(), self.is_last());
        member.register(folder, self.number)?;
        self.member = Some(member);
        if start.stage == 0 && !self.is_last() {
            let run = run.to_owned();
            self.watch = Some(Watch { run, furthest: 0, since: Instant::now() });
        }
        Ok(())
    }

    /// Reads what was kept of an epoch. Of epoch 0, that is nothing.
    fn load(&self, stage: &Path, epoch: u64) -> Result<Option<State>, CheckpointError> {
        let plan_file = stage.join("plan");
        if epoch == 0 {
            self.plan.save(&plan_file)?;
            return Ok(None);
        }
        if !plan_file.exists() {
            let (path, number, name) = (self.folder.clone(), self.number, self.plan.stage());
            let what = format!("there was no stage {number}, which is {name} now");
            return Err(CheckpointError::Changed { path, what });
        }
        let earlier = Plan::load(&plan_file)?;
        if let Some(what) = self.plan.difference(&earlier) {
            let (path, number) = (self.folder.clone(), self.number);
            return Err(CheckpointError::Changed { path, what: format!("stage {number}: {what}") });
        }
        State::load(&state_file(stage, epoch), epoch).map(Some)
    }

    /// Brings the output to where it was at the end of an epoch; commits the
    /// beginning before anything is written.
    fn cut_output(&self, epoch: u64) -> Result<(), CheckpointError> {
        let commits = Commits::new(&self.folder);
        let file = match &self.role {
            Role::Inner => return Ok(()),
            Role::File(file) => Some(file),
            Role::Foreign => None,
        };
        let to = Path::new("stdout");
        let length = match file {
            Some(file) => Some(file.metadata().map_err(CheckpointError::io(to))?.len()),
            None => None,
        };
        if commits.newest()?.is_none() {
            let beginning = Commit::new(0, self.number, length);
            let tail = file.zip(length).and_then(|(file, length)| tail(file, length));
            return commits.save(&beginning.with_tail(tail));
        }
        let commit = commits.load(epoch)?;
        if commit.stage != self.number {
            let (path, then, now) = (self.folder.clone(), commit.stage, self.number);
            let what = format!(
                "its last stage was number {then}, and {} is number {now}",
                self.plan.stage()
            );
            return Err(CheckpointError::Changed { path, what });
        }
        match (file, length, commit.output) {
            (Some(_), Some(length), Some(committed)) if length < committed => {
                Err(CheckpointError::Other(format!(
                    "the output holds {length} bytes, but {committed} are committed: it was emptied \
                     (append with >>) or is another file. Bring it back, or begin anew with \
                     `ingest --reset`"
                )))
            }
            (Some(file), Some(length), Some(committed)) => {
                if commit.tail.is_some() && commit.tail != tail(file, committed) {
                    return Err(CheckpointError::Other(
                        "the output is not the file that the run before wrote to: give that one, or \
                         begin anew with `ingest --reset`"
                            .to_owned(),
                    ));
                }
                if length > committed {
                    file.set_len(committed).map_err(CheckpointError::io(to))?;
                }
                Ok(())
            }
            (Some(_), _, None) => {
                let path = self.folder.clone();
                let what = "its output was no file, and is one".to_owned();
                Err(CheckpointError::Changed { path, what })
            }
            _ => Ok(()),
        }
    }

    /// Finds out whether an epoch was committed whose commit had begun when the
    /// run before ended.
    fn resolve(&mut self, epoch: u64, operator: &mut dyn Operator) -> Result<(), StageError> {
        if !self.is_last() {
            return Ok(());
        }
        let Some(transaction) = operator.transaction() else {
            let (path, stage) = (self.folder.clone(), self.plan.stage());
            let what = format!(
                "epoch {epoch} was being committed by `emit`, and {stage} is no sink of Kafka"
            );
            return Err(CheckpointError::Changed { path, what }.into());
        };
        let found = transaction.recover()?;
        self.has_recovered = true;
        match found {
            Some(Committed { line, epoch: found }) if line == self.line && found == epoch => {
                Commits::new(&self.folder).save(&Commit::new(epoch, self.number, None))?;
            }
            Some(Committed { line, epoch: found }) if line == self.line && found + 1 == epoch => {}
            other => return Err(self.strange(other.as_ref(), epoch).into()),
        }
        Ok(pending::clear(&self.folder)?)
    }

    /// Takes over the transactions of an earlier run; at the very beginning commits
    /// that.
    fn recover(&mut self, epoch: u64, transaction: &mut dyn Transaction) -> Result<(), StageError> {
        if !self.has_recovered {
            let found = transaction.recover()?;
            self.has_recovered = true;
            // What the broker has forgotten is in DIR: nothing was on its way.
            let is_known =
                found.as_ref().is_none_or(|found| found.line == self.line && found.epoch == epoch);
            let is_first = Commits::new(&self.folder).newest()?.is_none();
            if !is_known && !is_first {
                return Err(self.strange(found.as_ref(), epoch).into());
            }
        }
        if Commits::new(&self.folder).newest()?.is_none() {
            transaction.commit(&Committed { line: self.line.clone(), epoch: 0 })?;
        }
        Ok(())
    }

    /// The error of a broker that says something else than the folder.
    fn strange(&self, found: Option<&Committed>, epoch: u64) -> CheckpointError {
        let folder = self.folder.display();
        let says = match found {
            None => "has forgotten which epoch was committed last".to_owned(),
            Some(found) if found.line != self.line => {
                "has the epochs of another folder under this --transactional-id".to_owned()
            }
            Some(found) => format!("has committed epoch {}", found.epoch),
        };
        CheckpointError::Other(format!(
            "the broker {says}, while {folder} goes on from epoch {epoch}: compare what the topic \
             holds; `ingest --reset` begins anew"
        ))
    }

    /// Looks whether the line has a last stage; while there is none yet, whether
    /// that is still to be hoped for.
    fn look_for_last(&mut self) -> Result<(), StageError> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let members = members(&self.folder)?;
        let of_run = members.iter().filter(|(_, member)| member.run == watch.run);
        let Some((number, furthest)) = of_run.max_by_key(|(number, _)| *number) else {
            return Ok(());
        };
        if furthest.is_last {
            self.watch = None;
        } else if *number > 0 && is_gone(&self.folder, *number) {
            let gone = furthest.describe();
            return Err(StageError::Failed(format!("{gone} has gone before the end")));
        } else if *number > watch.furthest || !furthest.has_forwarded {
            (watch.furthest, watch.since) = (*number, Instant::now());
        } else if watch.since.elapsed() >= HAND_ON {
            return Err(StageError::Failed(format!(
                "no stage behind {} has come forward in {} s: end the line with >>FILE, `emit` or \
                 `export-prom`, or give {} --last if what is behind it is no stage",
                furthest.describe(),
                HAND_ON.as_secs(),
                furthest.name
            )));
        }
        Ok(())
    }

    fn restore(
        &mut self,
        start: &Start,
        operator: &mut dyn Operator,
        out: &mut Output,
    ) -> Result<Kept, CheckpointError> {
        let epoch = start.epoch.unwrap_or(0);
        let folder = open_stage(&self.folder, self.number)?;
        let state = self.load(&folder, epoch)?;
        self.cut_output(epoch)?;
        // What was kept after the committed epoch must not pass for what is to come.
        for newer in numbers(&folder, "state.", "")?.into_iter().filter(|newer| *newer > epoch) {
            let path = state_file(&folder, newer);
            fs::remove_file(&path).map_err(CheckpointError::io(&path))?;
        }
        for side in out.side_files() {
            side.claim().map_err(CheckpointError::Other)?;
            let length = match &state {
                // At the very beginning it is empty.
                None => Some(0),
                Some(state) => {
                    let kept = state.side_files.iter().find(|(name, _)| name == side.name());
                    kept.map(|(_, length)| *length)
                }
            };
            side.cut(length).map_err(CheckpointError::Other)?;
        }
        let Some(state) = state else { return Ok(Kept::default()) };
        let mut reader = SnapshotReader::new(&state.operator);
        let path = state_file(&folder, epoch);
        operator.restore(&mut reader).map_err(|error| CheckpointError::restore(&path, error))?;
        if !reader.is_empty() {
            return Err(CheckpointError::damaged(&path, "it is longer than it should be"));
        }
        Ok(state.kept)
    }
}

impl Checkpoint for StageCheckpoint {
    fn begin(
        &mut self,
        start: &Start,
        operator: &mut dyn Operator,
        out: &mut Output,
    ) -> Result<Kept, StageError> {
        self.join(start)?;
        if let Some(epoch) = start.pending {
            self.resolve(epoch, operator)?;
            return Ok(Kept::default());
        }
        if let Some(transaction) = operator.transaction() {
            self.recover(start.epoch.unwrap_or(0), transaction)?;
        }
        let kept = self.restore(start, operator, out)?;
        self.writer = Some(Writer::new(&self.folder, self.number));
        Ok(kept)
    }

    fn has_forwarded(&mut self) -> Result<(), StageError> {
        if let Some(member) = &mut self.member {
            member.has_forwarded = true;
            member.register(&self.folder, self.number)?;
        }
        if let Some(watch) = &mut self.watch {
            watch.since = Instant::now();
        }
        Ok(())
    }

    fn barrier(
        &mut self,
        epoch: u64,
        kept: Kept,
        operator: &mut dyn Operator,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let mut files = Vec::new();
        let mut state = State { epoch, kept, ..State::default() };
        for side in out.side_files() {
            if let Some((length, file)) = side.kept().map_err(CheckpointError::Other)? {
                state.side_files.push((side.name().to_owned(), length));
                files.push((side.name().to_owned(), file));
            }
        }
        let stdout = |source| StageError::Write { to: "stdout".to_owned(), source };
        let output = match &self.role {
            Role::File(file) => {
                files.push(("stdout".to_owned(), file.try_clone().map_err(stdout)?));
                Some(file.metadata().map_err(stdout)?.len())
            }
            _ => None,
        };
        let is_last = self.is_last();
        let tail = match &self.role {
            Role::File(file) => output.and_then(|length| tail(file, length)),
            _ => None,
        };
        let commit = Commit::new(epoch, self.number, output).with_tail(tail);
        let mut writer = state.head();
        operator.snapshot(&mut writer);
        let Some(thread) = &mut self.writer else { return Ok(()) };
        let kept = Epoch { number: epoch, state: writer.into_bytes(), files, then: Then::Nothing };
        let Some(transaction) = operator.transaction() else {
            let then = if is_last { Then::Commit(commit) } else { Then::Nothing };
            return Ok(thread.keep(Epoch { then, ..kept })?);
        };
        // The next epoch's records belong into another transaction, so they have to wait.
        thread.keep_now(kept)?;
        pending::set(&self.folder, epoch)?;
        transaction.commit(&Committed { line: self.line.clone(), epoch })?;
        Commits::new(&self.folder).save(&commit)?;
        Ok(pending::clear(&self.folder)?)
    }

    fn is_last(&self) -> bool {
        !matches!(self.role, Role::Inner)
    }

    fn check(&mut self) -> Result<Option<Duration>, StageError> {
        if let Some(writer) = &self.writer {
            writer.check()?;
        }
        let soon = self.writer.as_ref().filter(|writer| writer.is_busy()).map(|_| SOON);
        let Some(watch) = &mut self.watch else { return Ok(soon) };
        let left = HAND_ON.saturating_sub(watch.since.elapsed());
        if !left.is_zero() {
            return Ok(Some(soon.unwrap_or(left).min(left)));
        }
        self.look_for_last()?;
        Ok(Some(SOON))
    }

    fn finish(&mut self) -> Result<Option<Duration>, StageError> {
        // All may have been read before the stages behind have begun.
        self.look_for_last()?;
        if self.watch.is_some() {
            return Ok(Some(MOMENT));
        }
        if let Some(writer) = &mut self.writer {
            writer.finish()?;
        }
        Ok(None)
    }
}

impl fmt::Debug for StageCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageCheckpoint")
            .field("folder", &self.folder)
            .field("number", &self.number)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// How much of an output's end it is known by.
const TAIL: u64 = 4096;

/// The checksum of the last bytes of the first `length` ones; `None` where the
/// system does not let us read what we append to.
fn tail(file: &File, length: u64) -> Option<String> {
    let readable = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let begin = length.saturating_sub(TAIL);
    let mut bytes = vec![0; usize::try_from(length - begin).ok()?];
    readable.read_exact_at(&mut bytes, begin).ok()?;
    Some(format!("{:016x}", fnv1a(&bytes)))
}

/// Begins a run of the line whose checkpoint is in `directory`, from the epoch
/// that is committed.
///
/// # Errors
///
/// Fails if the folder cannot be written, or says nothing that can be gone on
/// from.
pub fn start(directory: &Directory) -> Result<Start, CheckpointError> {
    Ok(Start {
        line: Some(directory.line.clone()),
        run: Some(directory.run.clone()),
        epoch: Some(directory.epoch()?),
        pending: None,
        stage: 0,
    })
}

//! A stage's part of a checkpoint.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::commit::{Commit, Commits};
use super::directory::{self, Directory};
use super::file::numbers;
use super::lock::{PATIENCE, Share, leak, lock};
use super::output::{Role, STDOUT};
use super::pending;
use super::registry::{Member, lock_file, members, open_stage};
use super::state::State;
use super::watch::Watch;
use super::writer::{Epoch, Then, Writer, state_file};
use super::{CheckpointError, Plan};
use crate::line::Start;
use crate::stream::{
    Checkpoint, Committed, Kept, Operator, Output, SnapshotReader, StageError, Transaction,
};

/// How soon to look again for stages that are just beginning.
const MOMENT: Duration = Duration::from_millis(10);
/// How soon to ask again for what goes on beside.
const SOON: Duration = Duration::from_millis(500);
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
            self.watch = Some(Watch::new(run));
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

    /// Sees to it that no other stage of the run writes to the same file beside
    /// its output: each would cut what the other has written.
    fn claim(&mut self, out: &mut Output) -> Result<(), CheckpointError> {
        let Some(member) = &mut self.member else { return Ok(()) };
        let others = members(&self.folder)?;
        let others = others
            .iter()
            .filter(|(number, other)| *number != self.number && other.run == member.run);
        let taken: Vec<_> = others.flat_map(|(_, other)| &other.side_files).copied().collect();
        for side in out.side_files() {
            let Some(identity) = side.identity() else { continue };
            if taken.contains(&identity) {
                let name = side.name();
                let text = format!("another stage writes to {name}: give each a file of its own");
                return Err(CheckpointError::Other(text));
            }
            member.side_files.push(identity);
        }
        member.register(&self.folder, self.number)
    }

    /// Watches on until the line is whole.
    fn look_for_last(&mut self) -> Result<(), CheckpointError> {
        if let Some(watch) = &mut self.watch
            && watch.is_whole(&self.folder)?
        {
            self.watch = None;
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
        if self.is_last() {
            self.role.bring_back(&self.folder, epoch, self.number, self.plan.stage())?;
        }
        // What was kept after the committed epoch must not pass for what is to come.
        for newer in numbers(&folder, "state.", "")?.into_iter().filter(|newer| *newer > epoch) {
            let path = state_file(&folder, newer);
            fs::remove_file(&path).map_err(CheckpointError::io(&path))?;
        }
        self.claim(out)?;
        for side in out.side_files() {
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
            watch.begin();
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
        if let Role::File(file) = &self.role {
            let stdout = file.try_clone().map_err(CheckpointError::io(Path::new(STDOUT)))?;
            files.push((STDOUT.to_owned(), stdout));
        }
        let is_last = self.is_last();
        let commit = self.role.commit(epoch, self.number)?;
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
        let left = watch.due_in();
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

//! Files that grow, and folders that fill.

mod followed;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::held::{At, Held};
use super::identity::Inode;
use super::paths::{expand_paths, present_paths, search_folder};
use super::resume::Resumed;
use super::{Position, Source};
use crate::checkpoint::Positions;
use crate::line::Framing;
use crate::stream::{Next, Place, StageError};
use followed::{Followed, Growth};

/// So much is read of a file at once.
const CHUNK: usize = 256 * 1024;
/// How often files are looked at for more.
const LOOK: Duration = Duration::from_millis(100);
/// How often folders and patterns are looked at for new files, and paths for
/// whether they are still the same files.
const LIST: Duration = Duration::from_millis(250);
/// A file whose path is another's now is given up when it has not grown for
/// this long: whoever wrote to it has had time to notice.
const QUIET: Duration = Duration::from_secs(30);

/// When files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each to its end, and then that is the end.
    Once,
    /// For ever: what is there, and what is appended.
    Follow,
    /// For ever: each file once, so many new ones at a time.
    Arrivals {
        /// How many.
        max_files: usize,
        /// How often.
        every: Duration,
    },
}

/// Reads files by whole records, remembering how far it has come in each.
///
/// A file is its inode and its content, not its name: one that is renamed is
/// read to its end before the one that has taken its place, one that is
/// emptied is read again from the start, and where it was copied before
/// (logrotate's `copytruncate`) the last lines are taken from the copy. The
/// unfinished last line of a file waits for its newline, or for the file to be
/// given up. A record of several lines also ends once another file has its path
/// and has been written to, or when nothing more has come for as long as the
/// framing waits.
#[derive(Debug)]
pub struct GrowingFiles {
    arguments: Vec<PathBuf>,
    pace: Pace,
    framing: Framing,
    max_line: usize,
    chunk: Box<[u8]>,
    /// Files that are open, in the order they were found.
    open: Vec<Followed>,
    /// Files not yet opened.
    queue: VecDeque<PathBuf>,
    /// Files that are not read any more, so that they are known again.
    done: Vec<Position>,
    resumed: Resumed,
    /// The open file whose lines are being given out.
    present: Option<usize>,
    /// The open file whose turn it is.
    turn: usize,
    look_due: Option<Instant>,
    list_due: Option<Instant>,
    taken: u64,
    messages: Vec<String>,
    store: Option<Positions>,
}

impl GrowingFiles {
    /// Reads these files, the files in these folders, and those that match
    /// these patterns, in byte order of names. Under [`Pace::Once`] they must
    /// be there. Of a line longer than `max_line` no more is given out than what
    /// shows that it is.
    pub fn new(arguments: Vec<PathBuf>, pace: Pace, framing: Framing, max_line: usize) -> Self {
        Self {
            arguments,
            pace,
            framing,
            max_line,
            chunk: vec![0; CHUNK].into(),
            open: Vec::new(),
            queue: VecDeque::new(),
            done: Vec::new(),
            resumed: Resumed::default(),
            present: None,
            turn: 0,
            look_due: None,
            list_due: None,
            taken: 0,
            messages: Vec::new(),
            store: None,
        }
    }

    /// Goes on where `store` says, and keeps positions there. What cannot be
    /// found again is an error, or only a message without `fail_on_loss`.
    ///
    /// # Errors
    ///
    /// Fails if the positions cannot be read.
    pub fn with_positions(
        mut self,
        store: Positions,
        fail_on_loss: bool,
    ) -> Result<Self, StageError> {
        self.resumed = Resumed::new(store.load()?.unwrap_or_default(), fail_on_loss);
        self.store = Some(store);
        Ok(self)
    }

    /// Looks for files that were not there before, and for files that are gone
    /// from their paths.
    fn list(&mut self, now: Instant) -> Result<(), StageError> {
        let first = self.list_due.is_none();
        self.list_due = Some(now + if self.pace == Pace::Follow { LIST } else { self.pause() });
        if first {
            self.queue.extend(self.resumed.seek(&mut self.messages)?);
        } else if self.pace == Pace::Once {
            return Ok(());
        }
        let paths = match self.pace {
            Pace::Once => expand_paths(&self.arguments),
            _ => present_paths(&self.arguments),
        };
        let paths = paths.map_err(|error| failed(&error))?;
        if first && paths.is_empty() {
            self.messages.push("nothing to read yet: waiting for files".to_owned());
        }
        let mut room = match self.pace {
            Pace::Arrivals { max_files, .. } => max_files.saturating_sub(self.queue.len()),
            _ => usize::MAX,
        };
        let mut listed = Vec::new();
        for path in paths {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let inode = Inode::of(&metadata);
            listed.push(inode);
            if room > 0 && !self.queue.contains(&path) && !self.knows(&path, inode)? {
                self.queue.push_back(path);
                room -= 1;
            }
        }
        for file in &mut self.open {
            let is_there = fs::metadata(&file.path).is_ok_and(|at| Inode::of(&at) == file.inode);
            if is_there {
                file.quiet_since = None;
            } else {
                file.quiet_since.get_or_insert(now);
            }
        }
        self.done.retain(|file| listed.contains(&file.inode) || self.pace != Pace::Follow);
        Ok(())
    }

    fn pause(&self) -> Duration {
        if let Pace::Arrivals { every, .. } = self.pace { every } else { LIST }
    }

    /// Whether a file is one that is read already or was.
    fn knows(&mut self, path: &Path, inode: Inode) -> Result<bool, StageError> {
        if self.open.iter().any(|file| file.inode == inode) {
            return Ok(true);
        }
        let is_new_path = self.open.iter().all(|file| file.path != path);
        let read = |source| StageError::Read { from: path.display().to_string(), source };
        let known = self.done.iter().find(|file| file.inode == inode);
        if known.is_none() && (!is_new_path || self.pace != Pace::Follow) {
            return Ok(false);
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            opened => opened.map_err(read)?,
        };
        if let Some(known) = known {
            return known.content.is_in(&file).map_err(read);
        }
        // A copy in the making of a file that is about to be emptied bears the
        // beginning of its name. What it adds, if it is none, shows later.
        for other in self.open.iter().filter(|other| extends(path, &other.path)) {
            let is_copy = other.begins_with(&file).and_then(|begins| {
                Ok(begins || (other.is_copied_in(&file)? && file.metadata()?.len() > 0))
            });
            if is_copy.map_err(read)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens files of the queue: all at once if they are to be followed, else
    /// one after another.
    fn open_next(&mut self) -> Result<(), StageError> {
        while self.pace == Pace::Follow || self.open.is_empty() {
            let Some(path) = self.queue.pop_front() else { return Ok(()) };
            let read = |source| StageError::Read { from: path.display().to_string(), source };
            let file = match File::open(&path) {
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && self.pace != Pace::Once =>
                {
                    continue;
                }
                opened => opened.map_err(read)?,
            };
            // It may have two names by now.
            if self.is_open(Inode::of(&file.metadata().map_err(read)?)) {
                continue;
            }
            let resumed = self.resumed.take(&path, &file).map_err(read)?;
            let resumed = resumed.map(|(_, position)| position);
            let held = self.held(resumed.as_ref().map_or(At::default(), Position::at));
            let mut file = Followed::open(&path, file, held).map_err(read)?;
            // One that was rotated since comes before the one that has its path.
            file.path = resumed.map_or(path, |position| position.path);
            self.open.push(file);
        }
        Ok(())
    }

    /// Space for what is read of a file behind `begin`.
    fn held(&self, begin: At) -> Held {
        Held::new(self.framing.clone(), self.max_line, begin)
    }

    /// An open file that has records to give out, if any has.
    fn next_with_records(&mut self, now: Instant) -> Result<Option<usize>, StageError> {
        let mut tried = 0;
        while tried < self.open.len() {
            let index = (self.turn + tried) % self.open.len();
            tried += 1;
            if !self.has_turn(index) {
                continue;
            }
            let file = &mut self.open[index];
            let name = file.path.display().to_string();
            let growth = file.grow(&mut self.chunk);
            match growth.map_err(|source| StageError::Read { from: name, source })? {
                Growth::Truncated => {
                    self.emptied(index)?;
                    tried = 0;
                }
                Growth::More => {
                    self.open[index].quiet_since = self.open[index].quiet_since.map(|_| now);
                    return Ok(Some(index));
                }
                Growth::None if self.is_given_up(index, now) => {
                    let file = &mut self.open[index];
                    file.held.end();
                    if file.held.take_whole() {
                        return Ok(Some(index));
                    }
                    self.give_up(index)?;
                    (self.turn, tried) = (0, 0);
                }
                Growth::None if self.waits_no_longer(index, now) => {
                    self.open[index].held.release();
                    return Ok(Some(index));
                }
                Growth::None => {}
            }
        }
        Ok(None)
    }

    /// Whether those that had a file's path before it have been read to their
    /// ends, and given out.
    fn has_turn(&self, index: usize) -> bool {
        let path = &self.open[index].path;
        let is_over = |file: &Followed| {
            let is_left = file.is_gone && file.held.has_rest();
            file.at_end && !file.held.is_waiting() && !is_left
        };
        self.open[..index].iter().all(|file| is_over(file) || file.path != *path)
    }

    /// Whether nothing more can be expected of a file that has been read to its
    /// end.
    fn is_given_up(&self, index: usize, now: Instant) -> bool {
        let file = &self.open[index];
        let is_quiet = file.quiet_since.is_some_and(|since| now - since >= QUIET);
        self.pace != Pace::Follow || file.is_gone || is_quiet
    }

    /// Whether the record that a file ends with is given out though more lines
    /// could follow: none have come, or they go to another file now.
    fn waits_no_longer(&self, index: usize, now: Instant) -> bool {
        let file = &self.open[index];
        let is_next = |other: &Followed| other.path == file.path && other.is_begun();
        file.held.is_waiting()
            && (file.held.due().is_some_and(|due| due <= now)
                || self.open[index + 1..].iter().any(is_next))
    }

    /// Closes a file that has been read to its end.
    fn give_up(&mut self, index: usize) -> Result<(), StageError> {
        let file = self.open.remove(index);
        if !file.is_gone {
            self.done.push(Position { is_done: true, ..file.position_at(None) });
        }
        self.open_next()
    }

    /// A file was emptied: reads on in its copy if there is one, and then from
    /// its start.
    fn emptied(&mut self, index: usize) -> Result<(), StageError> {
        let path = self.open[index].path.clone();
        let read = |source| StageError::Read { from: path.display().to_string(), source };
        let copy = self.find_copy(index).map_err(read)?;
        let file = &mut self.open[index];
        if let Some((copy_path, copy)) = copy {
            file.move_to(&copy_path, copy).map_err(read)?;
            // Until the copy has been read to its end, the emptied file waits
            // as a file that took its path would.
            file.path.clone_from(&path);
            file.quiet_since = Some(Instant::now());
        } else {
            self.messages.push(format!(
                "{} was emptied; lines written to it just before are lost if they had not been \
                 read",
                path.display()
            ));
            file.end_held();
        }
        if let Ok(file) = File::open(&path) {
            // That of a file that was renamed before is another's, open already.
            let inode = Inode::of(&file.metadata().map_err(read)?);
            if self.open[index].inode != inode && self.is_open(inode) {
                return Ok(());
            }
            let held = self.held(At::default());
            self.open.push(Followed::open(&path, file, held).map_err(read)?);
        }
        Ok(())
    }

    fn is_open(&self, inode: Inode) -> bool {
        self.open.iter().any(|file| !file.is_gone && file.inode == inode)
    }

    /// The file in the same folder that holds what was read of an emptied one;
    /// none that is followed itself, and only begins alike.
    fn find_copy(&self, index: usize) -> io::Result<Option<(PathBuf, File)>> {
        let file = &self.open[index];
        search_folder(&file.path, |other| {
            let inode = Inode::of(&other.metadata()?);
            Ok(inode != file.inode && !self.is_open(inode) && file.is_copied_in(other)?)
        })
    }
}

impl Source for GrowingFiles {
    fn next(&mut self) -> Result<Next, StageError> {
        if let Some(index) = self.present.take() {
            self.open[index].held.forget_given();
            self.turn = index + 1;
        }
        let now = Instant::now();
        if self.list_due.is_none_or(|due| now >= due) {
            self.list(now)?;
            self.open_next()?;
        }
        self.present = self.next_with_records(now)?;
        if let Some(index) = self.present {
            return Ok(Next::Place(self.open[index].place()));
        }
        if self.pace == Pace::Once {
            return Ok(Next::End);
        }
        let look = if self.open.is_empty() { now + self.pause() } else { now + LOOK };
        self.look_due = self.list_due.map(|list| list.min(look));
        Ok(Next::Pending)
    }

    fn next_held(&mut self) -> Option<Place> {
        if let Some(index) = self.present.take() {
            if self.open[index].held.has_taken() {
                // What is held stands behind lines that nobody will read.
                self.open.remove(index);
            } else {
                self.open[index].held.forget_given();
            }
        }
        let index = self.open.iter_mut().position(|file| file.held.release())?;
        self.present = Some(index);
        Some(self.open[index].place())
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let Some(index) = self.present else { return Ok(0) };
        let count = self.open[index].held.give(space);
        self.taken += count as u64;
        Ok(count)
    }

    fn is_ready(&self) -> bool {
        self.present.is_some()
    }

    fn looks_at(&self) -> Option<Instant> {
        self.look_due
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }

    fn save(&mut self, epoch: u64, consumed: u64) -> Result<(), StageError> {
        if self.list_due.is_none() {
            // Nothing has been read yet, but what is to be is known by more than its path:
            // it may be rotated before the next epoch.
            self.list(Instant::now())?;
            self.open_next()?;
        }
        let mut positions = self.done.clone();
        for (index, file) in self.open.iter().enumerate().filter(|(_, file)| !file.is_gone) {
            let is_present = self.present == Some(index);
            positions.push(file.position_at(is_present.then_some(consumed)));
        }
        // What is still to be come upon is still to be gone on with.
        positions.extend(self.resumed.rest().cloned());
        match &mut self.store {
            Some(store) => Ok(store.save(epoch, &positions)?),
            None => Ok(()),
        }
    }
}

/// Whether a name is another with something behind it, as rotated files are
/// named.
fn extends(path: &Path, other: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.as_encoded_bytes().to_vec());
    path.parent() == other.parent()
        && name(path).zip(name(other)).is_some_and(|(path, other)| path.starts_with(&other))
}

fn failed(error: &anyhow::Error) -> StageError {
    StageError::Failed(format!("{error:#}"))
}

#[cfg(test)]
mod tests;

//! Going on where an earlier run stopped.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::Position;
use super::identity::Inode;
use super::paths::search_folder;
use crate::stream::StageError;

/// Where an earlier run stopped, in files not yet come upon.
#[derive(Debug)]
pub(super) struct Resumed {
    /// Each with its number among those that were saved.
    positions: Vec<(usize, Position)>,
    fail_on_loss: bool,
}

impl Default for Resumed {
    fn default() -> Self {
        Self::new(Vec::new(), true)
    }
}

impl Resumed {
    /// What cannot be found again is an error, or only a message without
    /// `fail_on_loss`.
    pub(super) fn new(positions: Vec<Position>, fail_on_loss: bool) -> Self {
        Self { positions: positions.into_iter().enumerate().collect(), fail_on_loss }
    }

    /// Seeks the files: the paths of those that are no longer where they were,
    /// to be read before all others.
    pub(super) fn seek(&mut self, messages: &mut Vec<String>) -> Result<Vec<PathBuf>, StageError> {
        let (mut kept, mut moved) = (Vec::new(), Vec::new());
        for (number, position) in std::mem::take(&mut self.positions) {
            let read =
                |source| StageError::Read { from: position.path.display().to_string(), source };
            match find(&position).map_err(read)? {
                Some(path) => {
                    if path != position.path {
                        moved.push(path);
                    }
                    kept.push((number, position));
                }
                None if position.is_done => {}
                None if self.fail_on_loss => return Err(lost(&position)),
                None => messages.push(lost(&position).to_string()),
            }
        }
        self.positions = kept;
        Ok(moved)
    }

    /// Where to go on in the file at `path`, and the number of that among what
    /// was saved; `None` at its beginning.
    pub(super) fn take(
        &mut self,
        path: &Path,
        file: &File,
    ) -> io::Result<Option<(usize, Position)>> {
        let inode = Inode::of(&file.metadata()?);
        let (mut best, mut best_rank) = (None, None);
        for (index, (_, position)) in self.positions.iter().enumerate() {
            let is_itself = (position.inode == inode, position.path == path);
            // Any file begins with what was read of one that had not begun.
            let may_be = position.offset > 0 || is_itself != (false, false);
            if may_be && Some(is_itself) > best_rank && position.content.is_in(file)? {
                (best, best_rank) = (Some(index), Some(is_itself));
            }
        }
        Ok(best.map(|index| self.positions.remove(index)))
    }

    /// The positions in files that have not been come upon.
    pub(super) fn rest(&self) -> impl Iterator<Item = &Position> {
        self.positions.iter().map(|(_, position)| position)
    }
}

/// The path at which a file is now: its own, or another in its folder.
fn find(position: &Position) -> io::Result<Option<PathBuf>> {
    let by_content = |file: &File| position.content.is_in(file);
    let by_inode =
        |file: &File| Ok(Inode::of(&file.metadata()?) == position.inode && by_content(file)?);
    // The file itself first, wherever it is: the one at its path may begin alike.
    let present = File::open(&position.path).ok();
    if let Some(file) = &present
        && by_inode(file)?
    {
        return Ok(Some(position.path.clone()));
    }
    if let Some((path, _)) = search_folder(&position.path, by_inode)? {
        return Ok(Some(path));
    }
    if let Some(file) = &present
        && by_content(file)?
    {
        return Ok(Some(position.path.clone()));
    }
    // It was copied and emptied. Of a file that had hardly begun, any is a copy.
    if position.offset == 0 {
        return Ok(None);
    }
    Ok(search_folder(&position.path, by_content)?.map(|(path, _)| path))
}

fn lost(position: &Position) -> StageError {
    StageError::Failed(format!(
        "{} was read up to byte {} and is gone, under any name in its folder: lines may be lost \
         (--fail-on-data-loss false goes on without it)",
        position.path.display(),
        position.offset
    ))
}

//! Going on where an earlier run stopped.

use std::fs::File;
use std::io;

use super::{GrowingFiles, search_folder};
use crate::source::Position;
use crate::source::identity::Inode;
use crate::stream::StageError;

impl GrowingFiles {
    /// Seeks the files of an earlier run: those that are no longer at their
    /// paths are read first, under whatever name they have now.
    pub(super) fn resume(&mut self) -> Result<(), StageError> {
        let mut kept = Vec::new();
        for position in std::mem::take(&mut self.resumed) {
            let read =
                |source| StageError::Read { from: position.path.display().to_string(), source };
            match find(&position).map_err(read)? {
                Some(path) => {
                    if path != position.path {
                        self.queue.push_back(path);
                    }
                    kept.push(position);
                }
                None if position.is_done => {}
                None if self.fail_on_loss => return Err(lost(&position)),
                None => self.messages.push(lost(&position).to_string()),
            }
        }
        self.resumed = kept;
        Ok(())
    }

    /// Where to begin in a file, as offset and number of lines before it.
    pub(super) fn begin_of(&mut self, file: &File) -> io::Result<(u64, u64)> {
        for index in 0..self.resumed.len() {
            if self.resumed[index].content.is_in(file)? {
                let position = self.resumed.remove(index);
                return Ok((position.offset, position.line));
            }
        }
        Ok((0, 0))
    }
}

/// The path at which a file is now: its own, or another in its folder.
fn find(position: &Position) -> io::Result<Option<std::path::PathBuf>> {
    if let Ok(file) = File::open(&position.path)
        && position.content.is_in(&file)?
    {
        return Ok(Some(position.path.clone()));
    }
    let by_inode = |file: &File| {
        Ok(Inode::of(&file.metadata()?) == position.inode && position.content.is_in(file)?)
    };
    if let Some((path, _)) = search_folder(&position.path, by_inode)? {
        return Ok(Some(path));
    }
    // It was copied and emptied. Of a file that had hardly begun, any is a copy.
    if position.offset == 0 {
        return Ok(None);
    }
    let by_content = |file: &File| position.content.is_in(file);
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

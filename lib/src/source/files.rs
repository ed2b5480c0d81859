//! Files and stdin, one after another, each to its end.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::content::Content;
use super::{Source, enlarge, is_pipe, modified};
use crate::stream::{Next, Place, PlaceKind, StageError};

/// Reads files in the order given; `-` is stdin.
#[derive(Debug)]
pub struct Files {
    queue: VecDeque<PathBuf>,
    current: Option<Content>,
    /// Bytes that the files before the current one held.
    before: u64,
}

impl Files {
    /// Opens nothing yet.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { queue: paths.into(), current: None, before: 0 }
    }
}

impl Source for Files {
    fn next(&mut self) -> Result<Next, StageError> {
        self.before += self.current.take().map_or(0, |content| content.taken());
        let Some(path) = self.queue.pop_front() else { return Ok(Next::End) };
        let (file, place) = open(&path)?;
        self.current = Some(Content::new(file));
        Ok(Next::Place(place))
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.current.as_mut().map_or(Ok(0), |content| content.read(space))
    }

    fn is_ready(&self) -> bool {
        self.current.as_ref().is_some_and(Content::is_compressed)
    }

    fn descriptors<'a>(&'a self, into: &mut Vec<BorrowedFd<'a>>) {
        into.extend(self.current.as_ref().map(|content| content.file().as_fd()));
    }

    fn taken(&self) -> u64 {
        self.before + self.current.as_ref().map_or(0, Content::taken)
    }

    fn total(&self) -> Option<u64> {
        self.queue.iter().map(|path| size(path)).sum()
    }
}

/// How many bytes a file holds; `None` for what is no regular file.
pub(super) fn size(path: &Path) -> Option<u64> {
    let metadata = if path == Path::new("-") {
        File::from(rustix::stdio::stdin().try_clone_to_owned().ok()?).metadata().ok()?
    } else {
        fs::metadata(path).ok()?
    };
    metadata.is_file().then_some(metadata.len())
}

/// Opens a file; `-` is stdin.
pub(super) fn open(path: &Path) -> Result<(File, Place), StageError> {
    if path == Path::new("-") { stdin() } else { open_file(path) }
}

fn stdin() -> Result<(File, Place), StageError> {
    let stdin = rustix::stdio::stdin();
    if is_pipe(stdin) {
        enlarge(stdin);
    }
    let file = stdin.try_clone_to_owned().map(File::from);
    let file = file.map_err(|source| StageError::Read { from: "stdin".to_owned(), source })?;
    Ok((file, Place::stdin()))
}

/// Opens a file; a named pipe without waiting for its writer, which polling
/// shows.
fn open_file(path: &Path) -> Result<(File, Place), StageError> {
    let name = path.display().to_string();
    let opened = fs::metadata(path).and_then(|metadata| {
        if !metadata.file_type().is_fifo() {
            return File::open(path);
        }
        let nonblock = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(nonblock).open(path)?;
        rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
        Ok(file)
    });
    let file = opened.map_err(|source| StageError::Read { from: name.clone(), source })?;
    let place = Place { modified: modified(&file), ..Place::new(&name, PlaceKind::File) };
    Ok((file, place))
}

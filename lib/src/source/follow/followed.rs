//! One file that grows.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::lines::Lines;
use crate::source::content::{Content as Unpacked, is_packed};
use crate::source::identity::{Content, Inode};
use crate::source::{Position, modified};
use crate::stream::{Place, PlaceKind};

/// So much is read of a file at once.
const CHUNK: usize = 256 * 1024;

/// A file that is read again whenever it has grown.
#[derive(Debug)]
pub(super) struct Followed {
    /// Where it was found. It may have been renamed since.
    pub(super) path: PathBuf,
    name: Arc<str>,
    reader: Reader,
    pub(super) inode: Inode,
    /// Offset in the file of what has not been given out.
    offset: u64,
    /// Lines given out.
    line: u64,
    pub(super) lines: Lines,
    /// What the file was like when it was last looked at.
    seen: Option<(u64, SystemTime)>,
    content: Content,
    /// Whether everything has been read that there was.
    pub(super) at_end: bool,
    /// When it was found to grow no more, once its path is another file's.
    pub(super) quiet_since: Option<Instant>,
}

#[derive(Debug)]
enum Reader {
    Plain(File),
    /// Packed files are written once; this one is read once.
    Packed(Unpacked),
}

/// What became of a file since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// It has more.
    More,
    /// It is as it was.
    None,
    /// It no longer holds what was read from it.
    Truncated,
}

impl Followed {
    /// A file that is read from `offset` on, which is behind its `line`th line.
    pub(super) fn open(path: &Path, file: File, offset: u64, line: u64) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let packed = is_packed(&file)?;
        let content = if packed { Content::default() } else { Content::of(&file, offset)? };
        let reader = if packed {
            let mut unpacked = Unpacked::new(file);
            skip(&mut unpacked, offset)?;
            Reader::Packed(unpacked)
        } else {
            (&file).seek(SeekFrom::Start(offset))?;
            Reader::Plain(file)
        };
        Ok(Self {
            path: path.to_owned(),
            name: Arc::from(path.display().to_string()),
            reader,
            inode: Inode::of(&metadata),
            offset,
            line,
            lines: Lines::default(),
            seen: None,
            content,
            at_end: false,
            quiet_since: None,
        })
    }

    pub(super) fn file(&self) -> &File {
        match &self.reader {
            Reader::Plain(file) => file,
            Reader::Packed(unpacked) => unpacked.file(),
        }
    }

    /// Where its whole lines come from.
    pub(super) fn place(&self) -> Place {
        Place {
            name: Arc::clone(&self.name),
            kind: PlaceKind::File,
            modified: modified(self.file()),
            line: self.line,
            offset: self.offset,
        }
    }

    /// Moves on behind the whole lines, which have been given out.
    pub(super) fn clear_whole(&mut self) {
        let (lines, bytes) = self.lines.clear_whole();
        self.line += lines;
        self.offset += bytes;
    }

    fn is_packed(&self) -> bool {
        matches!(self.reader, Reader::Packed(_))
    }

    /// How far it has been read.
    fn position(&self) -> u64 {
        self.offset + self.lines.pending()
    }

    /// Looks at the file, and says whether it is worth reading.
    fn look(&mut self) -> io::Result<Growth> {
        let Reader::Plain(file) = &self.reader else {
            return Ok(if self.at_end { Growth::None } else { Growth::More });
        };
        let metadata = file.metadata()?;
        let now = (metadata.len(), changed(&metadata));
        let is_same = self.seen == Some(now) && self.at_end;
        if is_same {
            return Ok(Growth::None);
        }
        let position = self.position();
        if metadata.len() < position || !self.content.is_in(file)? {
            return Ok(Growth::Truncated);
        }
        if metadata.len() == position {
            self.seen = Some(now);
            self.at_end = true;
            return Ok(Growth::None);
        }
        Ok(Growth::More)
    }

    /// Reads on until there are whole lines, or nothing more.
    pub(super) fn grow(&mut self, max_line: usize) -> io::Result<Growth> {
        loop {
            match self.look()? {
                Growth::More => self.fill(max_line)?,
                growth => return Ok(growth),
            }
            if self.lines.has_whole() {
                return Ok(Growth::More);
            }
        }
    }

    /// Reads once. To be called when there are no whole lines left.
    fn fill(&mut self, max_line: usize) -> io::Result<()> {
        let mut space = vec![0; CHUNK];
        let count = match &mut self.reader {
            Reader::Plain(file) => file.read(&mut space)?,
            Reader::Packed(unpacked) => unpacked.read(&mut space)?,
        };
        self.at_end = count == 0;
        self.lines.push(&space[..count], max_line);
        match &self.reader {
            Reader::Plain(file) if count > 0 => {
                self.content = Content::of(file, self.offset + self.lines.pending())?;
            }
            Reader::Packed(_) if count == 0 => self.lines.finish(),
            _ => {}
        }
        Ok(())
    }

    /// Whether `other` begins with all that has been read of this file.
    pub(super) fn is_copied_in(&self, other: &File) -> io::Result<bool> {
        Ok(other.metadata()?.len() >= self.position() && self.content.is_in(other)?)
    }

    /// Whether `other` holds nothing but what this file begins with.
    pub(super) fn begins_with(&self, other: &File) -> io::Result<bool> {
        let length = other.metadata()?.len();
        if self.is_packed() || length > self.position() {
            return Ok(false);
        }
        Content::of(other, length)?.is_in(self.file())
    }

    /// The file was copied and emptied: reads on in the copy, where its last
    /// lines are.
    pub(super) fn move_to(&mut self, path: &Path, copy: File) -> io::Result<()> {
        (&copy).seek(SeekFrom::Start(self.position()))?;
        self.inode = Inode::of(&copy.metadata()?);
        path.clone_into(&mut self.path);
        self.reader = Reader::Plain(copy);
        self.seen = None;
        self.at_end = false;
        Ok(())
    }

    /// Where a later run goes on: at `consumed`, which lies in the whole lines,
    /// or before them.
    pub(super) fn position_at(&self, consumed: Option<u64>) -> io::Result<Position> {
        let offset = consumed.unwrap_or(self.offset);
        let line = self.line + self.lines.count(offset - self.offset);
        let content =
            if self.is_packed() { Content::default() } else { Content::of(self.file(), offset)? };
        Ok(Position {
            path: self.path.clone(),
            inode: self.inode,
            content,
            offset,
            line,
            is_done: false,
        })
    }
}

/// Content changes show in the time of the last write, if not in the size.
fn changed(metadata: &Metadata) -> SystemTime {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Passes over the first bytes of an unpacked file.
fn skip(unpacked: &mut Unpacked, mut bytes: u64) -> io::Result<()> {
    let mut space = vec![0; CHUNK];
    while bytes > 0 {
        let wanted = space.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        match unpacked.read(&mut space[..wanted])? {
            0 => return Ok(()),
            count => bytes -= count as u64,
        }
    }
    Ok(())
}

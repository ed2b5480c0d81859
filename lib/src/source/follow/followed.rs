//! One file that grows.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::source::content::{Content as Unpacked, is_packed};
use crate::source::held::{At, Held};
use crate::source::identity::{Content, Inode};
use crate::source::{Position, modified};
use crate::stream::{Place, PlaceKind};

/// A file that is read again whenever it has grown.
#[derive(Debug)]
pub(super) struct Followed {
    /// Where it was found. It may have been renamed since.
    pub(super) path: PathBuf,
    name: Arc<str>,
    reader: Reader,
    pub(super) inode: Inode,
    pub(super) held: Held,
    /// What the file was like when it was last looked at.
    seen: Option<(u64, SystemTime)>,
    content: Content,
    /// Whether everything has been read that there was.
    pub(super) at_end: bool,
    /// When it was found to grow no more, once its path is another file's.
    pub(super) quiet_since: Option<Instant>,
    /// Whether it has been emptied, so that only what is held remains of it.
    pub(super) is_gone: bool,
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
    /// A file that is read from where `held` begins.
    pub(super) fn open(path: &Path, file: File, held: Held) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let At { offset, .. } = held.begin();
        let packed = is_packed(&file)?;
        // Packed files are known by their bytes as they are on disk.
        let sampled = if packed { metadata.len() } else { offset };
        let content = Content::of(&file, sampled)?;
        let reader = if packed {
            let mut unpacked = Unpacked::new(file);
            unpacked.skip(offset)?;
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
            held,
            seen: None,
            content,
            at_end: false,
            quiet_since: None,
            is_gone: false,
        })
    }

    pub(super) fn file(&self) -> &File {
        match &self.reader {
            Reader::Plain(file) => file,
            Reader::Packed(unpacked) => unpacked.file(),
        }
    }

    /// Where the records come from that it has to give out.
    pub(super) fn place(&self) -> Place {
        let At { offset, line, .. } = self.held.begin();
        Place {
            name: Arc::clone(&self.name),
            kind: PlaceKind::File,
            modified: modified(self.file()),
            line,
            offset,
        }
    }

    fn is_packed(&self) -> bool {
        matches!(self.reader, Reader::Packed(_))
    }

    /// Whether it has ever been written to, as far as is known.
    pub(super) fn is_begun(&self) -> bool {
        self.held.read_to() > 0 || self.file().metadata().is_ok_and(|file| file.len() > 0)
    }

    /// Looks at the file, and says whether it is worth reading.
    fn look(&mut self) -> io::Result<Growth> {
        // What comes behind an end that was taken for the last is another run's.
        if self.is_gone || self.held.is_ended() {
            return Ok(Growth::None);
        }
        let Reader::Plain(file) = &self.reader else {
            return Ok(if self.at_end { Growth::None } else { Growth::More });
        };
        let metadata = file.metadata()?;
        let now = (metadata.len(), changed(&metadata));
        let is_same = self.seen == Some(now) && self.at_end;
        if is_same {
            return Ok(Growth::None);
        }
        let position = self.held.read_to();
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

    /// Reads on, by way of `space`, until there are whole records, or nothing
    /// more.
    pub(super) fn grow(&mut self, space: &mut [u8]) -> io::Result<Growth> {
        while !self.held.take_whole() {
            match self.look()? {
                Growth::More => self.fill(space)?,
                growth => return Ok(growth),
            }
        }
        Ok(Growth::More)
    }

    /// Reads once. To be called when there are no whole records left.
    fn fill(&mut self, space: &mut [u8]) -> io::Result<()> {
        let count = match &mut self.reader {
            Reader::Plain(file) => file.read(space)?,
            Reader::Packed(unpacked) => unpacked.read(space)?,
        };
        self.at_end = count == 0;
        self.held.push(&space[..count]);
        match &self.reader {
            Reader::Plain(file) if count > 0 => match Content::of(file, self.held.read_to()) {
                Ok(content) => self.content = content,
                // It has been emptied since. Looking at it will show that.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            },
            Reader::Packed(_) if count == 0 => self.held.end(),
            _ => {}
        }
        Ok(())
    }

    /// The file was emptied, and what was written to it last is gone: what is
    /// held ends here.
    pub(super) fn end_held(&mut self) {
        self.held.end();
        (self.is_gone, self.at_end) = (true, true);
    }

    /// Whether `other` begins with all that has been read of this file.
    pub(super) fn is_copied_in(&self, other: &File) -> io::Result<bool> {
        Ok(other.metadata()?.len() >= self.held.read_to() && self.content.is_in(other)?)
    }

    /// Whether `other` holds nothing but what this file begins with.
    pub(super) fn begins_with(&self, other: &File) -> io::Result<bool> {
        let length = other.metadata()?.len();
        if self.is_packed() || length > self.held.read_to() {
            return Ok(false);
        }
        Content::of(other, length)?.is_in(self.file())
    }

    /// The file was copied and emptied: reads on in the copy, where its last
    /// lines are.
    pub(super) fn move_to(&mut self, path: &Path, copy: File) -> io::Result<()> {
        (&copy).seek(SeekFrom::Start(self.held.read_to()))?;
        self.inode = Inode::of(&copy.metadata()?);
        path.clone_into(&mut self.path);
        self.reader = Reader::Plain(copy);
        self.seen = None;
        self.at_end = false;
        Ok(())
    }

    /// Where a later run goes on: at `consumed`, which lies in what is being
    /// given out, or behind what has been.
    pub(super) fn position_at(&self, consumed: Option<u64>) -> Position {
        let At { offset, line, is_in_line } = self.held.resume_at(consumed);
        Position {
            path: self.path.clone(),
            inode: self.inode,
            content: self.content,
            offset,
            line,
            is_in_line,
            time: None,
            dated: None,
            is_done: self.at_end && offset == self.held.read_to() && self.is_nameless(),
        }
    }

    /// Whether it has no name any more, since it was deleted or packed: no other
    /// run could find more in it.
    fn is_nameless(&self) -> bool {
        self.file().metadata().is_ok_and(|file| file.nlink() == 0)
    }
}

/// Content changes show in the time of the last write, if not in the size.
fn changed(metadata: &Metadata) -> SystemTime {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

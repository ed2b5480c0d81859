//! Sources: where the lines of a stage come from. All reading of the outside
//! world is here, one kind of source a file.
//!
//! A source knows nothing of signals, statistics or clocks of other stages: the
//! edge ([`cli`](crate::cli)) waits for it together with those, and the
//! [driver](crate::stream::drive) splits what it reads into lines.

mod content;
mod files;
mod follow;
mod held;
mod identity;
#[cfg(feature = "kafka")]
mod kafka;
mod merge;
mod paths;
mod rate;
mod resume;
mod tcp;
mod unpack;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::stream::{Next, Place, StageError};
use crate::time::{Dated, Timestamp};

pub use files::Files;
pub use follow::{GrowingFiles, Pace};
#[cfg(feature = "kafka")]
pub(crate) use kafka::Payload;
#[cfg(feature = "kafka")]
pub use kafka::{
    EndingOffsets, Kafka, KafkaOptions, MakeTimes, ParseOffsetsError, Selection, StartingOffsets,
};
pub use merge::{EventTimes, FormatTimes, Merge};
pub use paths::expand_paths;
pub(crate) use paths::present_paths;
pub use rate::Rate;
pub use tcp::{Address, Connection, Listener, ParseAddressError, TcpError};

/// What a pipe may hold if the system lets it: the most that an ordinary user
/// may ask for.
const PIPE: usize = 1024 * 1024;

/// One kind of source.
///
/// It is asked for the [`next`](Self::next) place, read to the end of that, and
/// asked again. None of its methods waits: what it waits for it tells by
/// [`descriptors`](Self::descriptors) and [`looks_at`](Self::looks_at).
pub trait Source: fmt::Debug {
    /// Goes on to the first or next place that has something to read.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be opened.
    fn next(&mut self) -> Result<Next, StageError>;

    /// Reads from the present place; 0 is its end, or the end of what it has
    /// for now if the source will come back to it. A source that comes back
    /// gives out whole records only.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// The run has been told to stop, and reads no more: the next place with
    /// whole lines that are there already and were held since more could have
    /// belonged to their record. To be read as ever.
    fn next_held(&mut self) -> Option<Place> {
        None
    }

    /// Whether a read would not wait though no descriptor may say so.
    fn is_ready(&self) -> bool {
        false
    }

    /// What becomes readable when there is something to do.
    fn descriptors<'a>(&'a self, _into: &mut Vec<BorrowedFd<'a>>) {}

    /// When to look for something to do though no descriptor says so.
    fn looks_at(&self) -> Option<Instant> {
        None
    }

    /// How many bytes have been read, packed as they are on disk.
    fn taken(&self) -> u64 {
        0
    }

    /// How many bytes there are to read in all, if that is known beforehand.
    fn total(&self) -> Option<u64> {
        None
    }

    /// How much of all that there is to read has been dealt with, from 0 to 1, if
    /// that is known though the bytes are not.
    fn share(&self) -> Option<f64> {
        None
    }

    /// Whether it is to be told by now what has been [written](Self::written).
    fn is_due(&self) -> bool {
        false
    }

    /// The rows of all lines before `consumed` in the present place, and of
    /// the places before it, have been written to stdout.
    ///
    /// # Errors
    ///
    /// Fails if it cannot keep that in mind.
    fn written(&mut self, _consumed: u64) -> Result<(), StageError> {
        Ok(())
    }

    /// Nothing more is read: takes leave of whatever it is connected to.
    fn close(&mut self) {}

    /// What people should hear of, since the last call.
    fn messages(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Keeps, as `epoch`, where to go on reading; see
    /// [`Input::save`](crate::stream::Input::save).
    ///
    /// # Errors
    ///
    /// Fails if it cannot be kept.
    fn save(&mut self, _epoch: u64, _consumed: u64) -> Result<(), StageError> {
        Ok(())
    }
}

/// How far a file has been read, and how to know it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    path: PathBuf,
    inode: identity::Inode,
    content: identity::Content,
    /// Offset of the next line, in bytes, after unpacking.
    offset: u64,
    /// Lines before it.
    line: u64,
    /// Whether the offset is within a line that is too long and has been dealt
    /// with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_in_line: bool,
    /// The greatest event time before it, where files are merged by time, in
    /// microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
    /// The last time without a year before it, where files are merged by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dated: Option<Dated>,
    /// Whether nothing more was expected of it.
    is_done: bool,
}

impl Position {
    fn at(&self) -> held::At {
        held::At { offset: self.offset, line: self.line, is_in_line: self.is_in_line }
    }
}

/// Whether a descriptor is a pipe or a socket: what another stage can be
/// behind.
pub(crate) fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    let metadata = fd.try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    metadata
        .is_ok_and(|metadata| metadata.file_type().is_fifo() || metadata.file_type().is_socket())
}

/// Asks for a larger pipe, which saves switches between the stages; does
/// nothing if the system refuses.
pub(crate) fn enlarge(pipe: BorrowedFd<'_>) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE);
}

/// When a file was last written to; `None` for what is no regular file.
fn modified(file: &File) -> Option<Timestamp> {
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    metadata.modified().ok().map(timestamp)
}

/// What the wall clock shows.
pub(crate) fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

fn timestamp(time: SystemTime) -> Timestamp {
    let micros = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(match time.duration_since(UNIX_EPOCH) {
        Ok(since) => micros(since),
        Err(before) => -micros(before.duration()),
    })
}

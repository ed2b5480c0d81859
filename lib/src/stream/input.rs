//! The input side of a stage, as the driver sees it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Operator, Output, StageError};
use crate::line::json;
use crate::time::Timestamp;

/// What the outside world has for the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A read would not block; between sources, there may be a next one.
    Readable,
    /// A read would block; between sources, there is none yet.
    Pending,
    /// The time asked for has passed without input.
    TimedOut,
    /// Somebody wants to see the statistics now.
    ShowStats,
    /// Somebody watches, and wants to see how far the run has come by now.
    ShowProgress,
    /// Nobody reads our output any more.
    ReaderGone,
    /// The run is to end as if the input had ended.
    Stop,
}

/// What comes behind a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Lines from here.
    Place(Place),
    /// Nothing yet: wait, then ask again.
    Pending,
    /// Nothing more.
    End,
}

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// How messages name it: a path, `stdin`, the address of a peer.
    pub name: Arc<str>,
    /// What it is.
    pub kind: PlaceKind,
    /// When it was last written to, if it is a file.
    pub modified: Option<Timestamp>,
    /// How many of its lines have been read before: a file that is followed is
    /// come back to.
    pub line: u64,
    /// Offset of its next line, in bytes.
    pub offset: u64,
}

/// What lines come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A pipe, or anything else without a name of its own.
    Pipe,
    /// A file, whose name is its path.
    File,
    /// The other end of a connection, whose name is its address.
    Peer,
    /// A partition of a topic of Kafka, whose name is `TOPIC[NUMBER]`. Its lines
    /// are messages, numbered by their offsets.
    Partition,
}

impl Place {
    /// The standard input.
    pub fn stdin() -> Self {
        Self::new("stdin", PlaceKind::Pipe)
    }

    /// A place that is read from its beginning.
    pub fn new(name: &str, kind: PlaceKind) -> Self {
        Self { name: Arc::from(name), kind, modified: None, line: 0, offset: 0 }
    }

    /// What people call the line with this number, from 1: that of a message
    /// is its offset, from 0.
    pub(crate) fn number(&self, line: u64) -> u64 {
        match self.kind {
            PlaceKind::Partition => line.saturating_sub(1),
            _ => line,
        }
    }

    /// Appends the members that name it in JSON, such as `"path":"access.log"`
    /// or `"topic":"logs","partition":3`.
    pub(crate) fn write_members(&self, row: &mut Vec<u8>) {
        let name = &*self.name;
        match (self.kind, name.strip_suffix(']').and_then(|name| name.rsplit_once('['))) {
            (PlaceKind::Partition, Some((topic, number))) => {
                row.extend_from_slice(b"\"topic\":");
                json::write_string(topic.as_bytes(), row);
                row.extend_from_slice(b",\"partition\":");
                row.extend_from_slice(number.as_bytes());
            }
            (kind, _) => {
                let key: &[u8] = if kind == PlaceKind::Peer { b"\"peer\":" } else { b"\"path\":" };
                row.extend_from_slice(key);
                json::write_string(name.as_bytes(), row);
            }
        }
    }
}

/// The input side of a stage: one or more sources, read one after another.
///
/// The driver reads no clock and opens no file; what does is behind this.
pub trait Input {
    /// Goes on to the first or next source that has something to read. Does not
    /// wait for one.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be opened.
    fn next(&mut self) -> Result<Next, StageError>;

    /// The run has been told to stop: the next source with lines that are
    /// there already, held since more could have belonged to their record.
    fn next_held(&mut self) -> Option<Place> {
        None
    }

    /// Tells whether the present source can be read, without waiting.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    fn poll(&mut self) -> io::Result<Event>;

    /// Waits until there is something to do, at most for `timeout`, which may
    /// be zero. Never returns [`Event::Pending`].
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Event>;

    /// Whether somebody reads stdout, if it is a pipe.
    fn is_read(&self) -> bool {
        true
    }

    /// Nothing more is read or written: lets go of stdout.
    fn leave(&mut self) {}

    /// Waits for so long, whatever there is to read.
    fn pause(&mut self, _length: Duration) {}

    /// Reads from the present source; 0 is its end.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// What the wall clock shows.
    fn now(&self) -> Timestamp;

    /// Shows the statistics to whoever asked for them.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    fn show_stats(&mut self, _operator: &dyn Operator, _out: &Output) -> Result<(), StageError> {
        Ok(())
    }

    /// Shows people how far the run has come, if they watch and it is time to.
    fn show_progress(&mut self, _operator: &dyn Operator, _out: &Output) {}

    /// Whether the source waits to be told what has been
    /// [written](Self::written).
    fn is_due(&self) -> bool {
        false
    }

    /// The rows of all lines before `consumed` in the present source, and of
    /// the sources before it, have been written to stdout.
    ///
    /// # Errors
    ///
    /// Fails if a source cannot keep that in mind.
    fn written(&mut self, _consumed: u64) -> Result<(), StageError> {
        Ok(())
    }

    /// Keeps, as `epoch`, where to go on reading: all lines before `consumed`
    /// in the present source have been dealt with, and so have the sources
    /// before it. Called only on a stage that is an [`Origin`](super::Origin)
    /// with a checkpoint.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be kept.
    fn save(&mut self, _epoch: u64, _consumed: u64) -> Result<(), StageError> {
        Ok(())
    }
}

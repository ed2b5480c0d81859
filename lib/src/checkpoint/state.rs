//! The file of a stage's state.

use std::fs;
use std::io;
use std::path::Path;

use super::CheckpointError;
use super::file::replace;
use crate::stream::{Kept, Read, RestoreError, SnapshotReader, SnapshotWriter};

/// What a file of state begins with.
const MAGIC: &[u8; 16] = b"highwater state\n";
/// The newest format that is known. Every older one is still read.
const FORMAT: u64 = 1;
/// Bytes of the checksum at the end.
const CHECKSUM: usize = 4;

/// What a stage was at the end of an epoch.
///
/// The file is a magic line, the format, then the members below, each as
/// [`SnapshotWriter`] writes it, and the CRC-32 of all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) epoch: u64,
    pub(super) kept: Kept,
    /// Paths and lengths of the files beside the output.
    pub(super) side_files: Vec<(String, u64)>,
    /// What the operator wrote.
    pub(super) operator: Vec<u8>,
}

impl State {
    /// Begins a file: everything but the operator's own state, which is to be
    /// written behind it, and the checksum, which [`save`] adds.
    pub(super) fn head(&self) -> SnapshotWriter {
        let mut head = SnapshotWriter::new();
        for byte in MAGIC {
            head.u8(*byte);
        }
        head.u64(FORMAT);
        head.u64(self.epoch);
        head.bool(self.kept.has_ended);
        head.u64(self.kept.read.bytes);
        head.u64(self.kept.read.lines);
        head.list(self.side_files.iter(), |head, (name, length)| {
            head.bytes(name.as_bytes());
            head.u64(*length);
        });
        head
    }

    /// Reads the file of an epoch.
    pub(super) fn load(path: &Path, epoch: u64) -> Result<Self, CheckpointError> {
        let damaged = |what: &str| CheckpointError::damaged(path, what);
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("it is missing"));
            }
            Err(error) => return Err(CheckpointError::io(path)(error)),
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it is no file of state"))?;
        let (body, checksum) =
            bytes.split_last_chunk::<CHECKSUM>().ok_or_else(|| damaged("it ends too early"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return Err(damaged("its checksum is wrong"));
        }
        let format = SnapshotReader::new(rest).u64().unwrap_or(0);
        if format > FORMAT {
            let path = path.to_owned();
            return Err(CheckpointError::Newer { path, format, known: FORMAT });
        }
        let state =
            parse(&body[MAGIC.len()..]).map_err(|error| CheckpointError::restore(path, error))?;
        if state.epoch != epoch {
            return Err(damaged("it is of another epoch"));
        }
        Ok(state)
    }
}

fn parse(bytes: &[u8]) -> Result<State, RestoreError> {
    let mut reader = SnapshotReader::new(bytes);
    let _format = reader.u64()?;
    let epoch = reader.u64()?;
    let has_ended = reader.bool()?;
    let read = Read { bytes: reader.u64()?, lines: reader.u64()? };
    let side_files = reader.list(|reader| {
        let name = String::from_utf8_lossy(reader.bytes()?).into_owned();
        Ok((name, reader.u64()?))
    })?;
    let operator = reader.rest().to_vec();
    Ok(State { epoch, kept: Kept { has_ended, read }, side_files, operator })
}

/// Writes the file: `state` is a [head](State::head) with the operator's state
/// behind it.
pub(super) fn save(path: &Path, state: &[u8]) -> Result<(), CheckpointError> {
    let checksum = crc32fast::hash(state).to_le_bytes();
    replace(path, &[state, &checksum])
}

//! Which file is which: files are renamed, copied, emptied and made anew under
//! the name of another.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use crate::checksum::fnv1a;
use serde::{Deserialize, Serialize};

/// So much of a file tells it from others.
const SAMPLE: usize = 1024;

/// Device and inode: the same file under whatever name, as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inode {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Inode {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A piece of a file's content that was seen, as its place and a hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    offset: u64,
    length: u64,
    hash: u64,
}

/// What has been read of a file: its first bytes, and the last ones before the
/// place that reading has come to. An inode is given to another file once the
/// first is deleted, and a file can be emptied and filled anew; its content
/// tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    head: Sample,
    tail: Sample,
}

impl Content {
    /// The samples of a file that has been read up to `end`.
    pub(super) fn of(file: &File, end: u64) -> io::Result<Self> {
        let length = end.min(SAMPLE as u64);
        Ok(Self {
            head: Sample::take(file, 0, length)?,
            tail: Sample::take(file, end - length, length)?,
        })
    }

    /// Whether a file begins with what was read: it is the same file, or a copy
    /// of it.
    pub(super) fn is_in(&self, file: &File) -> io::Result<bool> {
        Ok(self.head.is_in(file)? && self.tail.is_in(file)?)
    }
}

impl Sample {
    fn take(file: &File, offset: u64, length: u64) -> io::Result<Self> {
        let mut bytes = [0; SAMPLE];
        let bytes = &mut bytes[..SAMPLE.min(length as usize)];
        file.read_exact_at(bytes, offset)?;
        Ok(Self { offset, length, hash: fnv1a(bytes) })
    }

    fn is_in(self, file: &File) -> io::Result<bool> {
        match Self::take(file, self.offset, self.length) {
            Ok(sample) => Ok(sample == self),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn content_tells_files_apart() {
        let mut file = tempfile::tempfile().unwrap();
        let text: Vec<u8> = (0..5_000_u32).flat_map(u32::to_le_bytes).collect();
        file.write_all(&text).unwrap();
        for end in [0, 1, 1_023, 1_024, 1_025, 20_000] {
            let content = Content::of(&file, end).unwrap();
            assert!(content.is_in(&file).unwrap(), "read up to {end}");
            let mut other = tempfile::tempfile().unwrap();
            other.write_all(&text[..end as usize]).unwrap();
            assert!(content.is_in(&other).unwrap(), "a copy cut at {end}");
            for wrong in [0, end.saturating_sub(1)].into_iter().filter(|_| end > 0) {
                other.write_all_at(&[!text[wrong as usize]], wrong).unwrap();
                assert!(!content.is_in(&other).unwrap(), "another byte at {wrong} of {end}");
                other.write_all_at(&[text[wrong as usize]], wrong).unwrap();
            }
            if end > 0 {
                other.set_len(end - 1).unwrap();
                assert!(!content.is_in(&other).unwrap(), "one byte short of {end}");
            }
        }
    }
}

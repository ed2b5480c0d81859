//! Unpacking on a thread of its own, beside whoever reads.

use std::fmt;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// So much is unpacked at once.
const BLOCK: usize = 256 * 1024;
/// So many blocks are unpacked ahead.
const AHEAD: usize = 2;

/// What a decoder unpacks, a few blocks ahead of its reader.
///
/// Unpacking takes as long as parsing does: side by side they are no slower
/// than `gzip -dc FILE |` in front.
pub(super) struct Unpacked {
    /// An empty block is the end.
    blocks: Receiver<io::Result<Vec<u8>>>,
    /// Blocks that have been read, to be filled again.
    spent: Sender<Vec<u8>>,
    block: Vec<u8>,
    given: usize,
    is_ended: bool,
}

impl Unpacked {
    /// Begins to unpack.
    ///
    /// # Errors
    ///
    /// Fails if the system has no thread to give.
    pub(super) fn begin(decoder: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, blocks) = sync_channel(AHEAD);
        let (spent, empty) = channel();
        let unpack = move || unpack(decoder, &sender, &empty);
        thread::Builder::new().name("unpack".to_owned()).spawn(unpack)?;
        Ok(Self { blocks, spent, block: Vec::new(), given: 0, is_ended: false })
    }

    /// Reads unpacked bytes, waiting for them; 0 is the end.
    ///
    /// # Errors
    ///
    /// Fails as the decoder does.
    pub(super) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.given == self.block.len() && !self.is_ended {
            // Nobody takes it if the decoder has come to its end.
            let _ = self.spent.send(std::mem::take(&mut self.block));
            self.given = 0;
            let stopped = |_| io::Error::other("unpacking stopped short");
            self.block = self.blocks.recv().map_err(stopped)??;
            self.is_ended = self.block.is_empty();
        }
        let rest = &self.block[self.given..];
        let count = rest.len().min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

/// Unpacks until the end, a mistake, or until nobody reads any more.
fn unpack(
    mut decoder: impl Read,
    blocks: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let read = decoder.read(&mut block);
        if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            continue;
        }
        let is_last = !matches!(read, Ok(1..));
        let block = read.map(|count| {
            block.truncate(count);
            block
        });
        if blocks.send(block).is_err() || is_last {
            return;
        }
    }
}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unpacked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives bytes in pieces, then fails or ends.
    struct Pieces(Vec<io::Result<Vec<u8>>>);

    impl Read for Pieces {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.pop() else { return Ok(0) };
            piece.map(|piece| {
                space[..piece.len()].copy_from_slice(&piece);
                piece.len()
            })
        }
    }

    fn read(unpacked: &mut Unpacked) -> (Vec<u8>, Option<io::ErrorKind>) {
        let (mut all, mut space) = (Vec::new(), [0; 3]);
        loop {
            match unpacked.read(&mut space) {
                Ok(0) => return (all, None),
                Ok(count) => all.extend_from_slice(&space[..count]),
                Err(error) => return (all, Some(error.kind())),
            }
        }
    }

    #[test]
    fn bytes_come_in_order_and_mistakes_behind_them() {
        let pieces = |end: Vec<io::Result<Vec<u8>>>| {
            let bytes = (0..40_u8).rev().map(|byte| Ok(vec![byte; 1 + usize::from(byte) % 5]));
            Unpacked::begin(Pieces(end.into_iter().chain(bytes).collect())).unwrap()
        };
        let bytes: Vec<u8> =
            (0..40_u8).flat_map(|byte| vec![byte; 1 + usize::from(byte) % 5]).collect();
        let mut whole = pieces(vec![Err(io::ErrorKind::Interrupted.into())]);
        assert_eq!(read(&mut whole), (bytes.clone(), None));
        assert_eq!(read(&mut whole), (Vec::new(), None), "the end stays the end");
        let mut damaged = pieces(vec![Err(io::ErrorKind::InvalidData.into())]);
        assert_eq!(read(&mut damaged), (bytes, Some(io::ErrorKind::InvalidData)));
    }

    #[test]
    fn a_decoder_that_breaks_off_is_no_end() {
        struct Breaks;
        impl Read for Breaks {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("this decoder breaks off on purpose")
            }
        }
        let mut broken = Unpacked::begin(Breaks).unwrap();
        assert_eq!(read(&mut broken), (Vec::new(), Some(io::ErrorKind::Other)));
    }
}

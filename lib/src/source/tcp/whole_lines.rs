//! Whole lines out of what one of many peers has sent so far.

use std::io::{self, Read as _};

/// A buffer that one long line has grown beyond this is given back.
const KEEP: usize = 256 * 1024;
/// So much of a line tells whoever reads it that it is too long, whatever the
/// limit; see [`LineReader`](crate::line::LineReader).
const SHOWN_OF_TOO_LONG: usize = 1_024 + 4;

/// Gives out what has come up to its last newline and keeps the rest until its
/// line is whole.
///
/// A line longer than the limit is not kept: as much of it is given out as
/// shows that it is too long, and its rest is passed over.
#[derive(Debug)]
pub(super) struct WholeLines {
    held: Vec<u8>,
    /// How much of what is held is to be given out.
    whole: usize,
    /// How much of that has been given out.
    given: usize,
    /// More of a line without its end shows that it is too long.
    enough: usize,
    /// Whether the beginning of the present line has been given out as too
    /// long.
    is_passing_over: bool,
    /// How many lines have been given out.
    line: u64,
    /// Offset in the stream of the first byte held.
    offset: u64,
}

impl WholeLines {
    /// Takes lines of up to `max_line` bytes, ends not counted.
    pub(super) fn new(max_line: usize) -> Self {
        Self {
            held: Vec::new(),
            whole: 0,
            given: 0,
            // The byte more may be the `\r` of the line's end.
            enough: max_line.saturating_add(1).max(SHOWN_OF_TOO_LONG),
            is_passing_over: false,
            line: 0,
            offset: 0,
        }
    }

    /// How many lines have been given out.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Offset in the stream of what is given out next.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether there is something to give out.
    pub(super) fn has_more(&self) -> bool {
        self.given < self.whole
    }

    /// Takes in what has come. Only when there is nothing to give out.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        debug_assert!(!self.has_more(), "what is whole goes first");
        let bytes = self.pass_over(bytes);
        let newline = memchr::memrchr(b'\n', bytes);
        let behind = newline.map(|at| self.held.len() + at + 1);
        self.held.extend_from_slice(bytes);
        if let Some(behind) = behind {
            self.whole = behind;
        } else if self.held.len() > self.enough {
            self.whole = self.held.len();
            self.is_passing_over = true;
        }
    }

    /// What has come behind a line that was too long.
    fn pass_over<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.is_passing_over {
            return bytes;
        }
        let newline = memchr::memchr(b'\n', bytes);
        let (passed, rest) = bytes.split_at(newline.map_or(bytes.len(), |at| at + 1));
        self.is_passing_over = newline.is_none();
        self.offset += passed.len() as u64;
        rest
    }

    /// Nothing more will come: the last line counts though it has no newline.
    pub(super) fn end(&mut self) {
        self.whole = self.held.len();
    }

    /// Copies what is to be given out, as much as `space` holds.
    pub(super) fn give(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = (&self.held[self.given..self.whole]).read(space)?;
        self.given += count;
        if self.given == self.whole && self.whole > 0 {
            self.forget_given();
        }
        Ok(count)
    }

    fn forget_given(&mut self) {
        let given = &self.held[..self.whole];
        let ends = memchr::memchr_iter(b'\n', given).count() as u64;
        self.line += ends + u64::from(!given.ends_with(b"\n"));
        self.offset += self.whole as u64;
        self.held.drain(..self.whole);
        (self.whole, self.given) = (0, 0);
        if self.held.capacity() > KEEP {
            self.held.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Framing, LineReader, Reason};
    use proptest::prelude::*;

    /// A line as it comes out: its number, offset, bytes, and what is wrong.
    type Told = (u64, u64, Vec<u8>, Option<Reason>);

    fn drain(reader: &mut LineReader, line: &mut u64, told: &mut Vec<Told>) {
        while let Some((at, found)) = reader.next_line() {
            *line += 1;
            told.push((*line, at.offset, found.bytes.to_vec(), found.fault));
        }
    }

    /// The lines of a source that is read in one go.
    fn directly(input: &[u8], max_line: usize) -> Vec<Told> {
        let (mut reader, mut told, mut line) =
            (LineReader::new(Framing::Lines, max_line), Vec::new(), 0);
        for mut rest in [input, &[]] {
            reader.fill(|space| rest.read(space)).unwrap();
            drain(&mut reader, &mut line, &mut told);
        }
        told
    }

    /// The lines of a source that is come back to for each piece.
    fn in_turns(input: &[u8], sizes: &[usize], max_line: usize, space: usize) -> Vec<Told> {
        let (mut lines, mut told) = (WholeLines::new(max_line), Vec::new());
        let mut reader = LineReader::new(Framing::Lines, max_line);
        let (mut rest, mut sizes) = (input, sizes.iter().cycle());
        let mut is_open = true;
        while is_open {
            let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            rest = behind;
            is_open = !piece.is_empty();
            if is_open {
                lines.push(piece);
            } else {
                lines.end();
            }
            reader.begin(lines.offset(), 0);
            let mut line = lines.line();
            while reader.fill(|s| lines.give(&mut s[..space])).unwrap() > 0 {
                drain(&mut reader, &mut line, &mut told);
            }
            drain(&mut reader, &mut line, &mut told);
            assert!(lines.held.len() <= lines.enough + piece.len());
        }
        told
    }

    proptest! {
        #[test]
        fn lines_are_the_same_in_turns(
            lengths in proptest::collection::vec((0_usize..6, 0_usize..3_000), 0..12),
            ends in any::<bool>(),
            sizes in proptest::collection::vec(1_usize..1_500, 1..6),
            max_line in 1_u32..2_500,
            space in 1_usize..2_000,
        ) {
            let mut input = Vec::new();
            for (index, (short, long)) in lengths.iter().enumerate() {
                let length = if index % 2 == 0 { *short } else { *long };
                input.extend((0..length).map(|at| b"ab\xc3\xa9\r"[at % 5]));
                input.push(b'\n');
            }
            if !ends {
                input.pop();
            }
            let max_line = max_line as usize;
            prop_assert_eq!(
                in_turns(&input, &sizes, max_line, space),
                directly(&input, max_line)
            );
        }
    }

    #[test]
    fn an_endless_line_takes_bounded_memory() {
        let mut lines = WholeLines::new(10_000);
        let mut space = vec![0; 100_000];
        let mut given = 0;
        for _ in 0..1_000 {
            lines.push(&[b'x'; 999]);
            given += lines.give(&mut space).unwrap();
        }
        assert!((10_001..12_000).contains(&given), "{given}");
        assert!(lines.held.capacity() < 40_000);
        assert_eq!((lines.line(), lines.offset()), (1, 999_000));
    }
}

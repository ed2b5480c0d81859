//! Lines out of chunks: large reads, one search for newlines, one UTF-8 check
//! per chunk.

use std::io;

use super::reject::Reason;

/// A line without its end (`\n` or `\r\n`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes; UTF-8 unless `fault` says otherwise.
    pub bytes: &'a [u8],
    /// [`Reason::InvalidUtf8`], or [`Reason::TooLong`] with no more than the first
    /// 1,024 bytes of the line.
    pub fault: Option<Reason>,
}

/// What remains of a line that is too long, for people to find it by.
const KEPT_OF_TOO_LONG: usize = 1_024;

const CHUNK: usize = 256 * 1024;
/// A buffer that one long line has grown beyond this is given back.
const KEEP: usize = 1024 * 1024;

/// Splits what is read into lines.
///
/// Which lines come out does not depend on the sizes of the reads.
#[derive(Debug)]
pub struct LineReader {
    buffer: Vec<u8>,
    /// Of the first byte not yet given out.
    start: usize,
    /// Behind the last newline read: lines up to here are whole.
    whole: usize,
    /// Behind the last byte read.
    end: usize,
    /// Offset in the input of the buffer's first byte.
    base: u64,
    max_line: usize,
    /// Whether the whole lines from `start` on are known to be UTF-8.
    utf8: Option<bool>,
    /// Where a line began that is too long and has been given out, while the
    /// rest of it is passed over.
    skipping: Option<u64>,
}

impl LineReader {
    /// A reader that takes lines of up to `max_line` bytes, ends not counted.
    pub fn new(max_line: usize) -> Self {
        Self {
            buffer: vec![0; CHUNK],
            start: 0,
            whole: 0,
            end: 0,
            base: 0,
            max_line,
            utf8: None,
            skipping: None,
        }
    }

    /// Begins another input, of which the first byte read will be the one at
    /// `offset`. To be called when the last one has been given out to its end.
    pub fn begin(&mut self, offset: u64) {
        debug_assert_eq!(self.start, self.end, "the last input was not read to its end");
        (self.start, self.whole, self.end) = (0, 0, 0);
        self.base = offset;
    }

    /// Offset in the input behind the last line given out: where to go on
    /// reading so that no line is lost or torn.
    pub fn consumed(&self) -> u64 {
        self.skipping.unwrap_or(self.base + self.start as u64)
    }

    /// Reads once, by `read`, which gets the space to fill and returns how much
    /// it filled; 0 is the end of this input, whose last line then counts even
    /// without a newline. To be called when [`next_line`](Self::next_line)
    /// has nothing more.
    ///
    /// # Errors
    ///
    /// Fails when `read` does.
    pub fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        self.make_room();
        let count = read(&mut self.buffer[self.end..])?;
        let new = self.end..self.end + count;
        self.end = new.end;
        if count == 0 {
            self.whole = self.end;
            self.skipping = None;
        } else if let Some(newline) = memchr::memrchr(b'\n', &self.buffer[new.clone()]) {
            self.whole = new.start + newline + 1;
        }
        self.utf8 = None;
        Ok(count)
    }

    fn make_room(&mut self) {
        if self.skipping.is_some() && self.whole == self.start {
            self.start = self.end;
        }
        self.base += self.start as u64;
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.whole = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else if self.buffer.len() > KEEP && self.end < CHUNK / 2 {
            self.buffer.truncate(CHUNK);
            self.buffer.shrink_to_fit();
        }
    }

    /// The next line that is whole, or too long already, and its offset in the
    /// input.
    #[inline]
    pub fn next_line(&mut self) -> Option<(u64, Line<'_>)> {
        loop {
            if self.start == self.whole {
                return self.overlong_start();
            }
            let rest = &self.buffer[self.start..self.whole];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let from = self.start;
            let all_utf8 = self.is_utf8();
            self.start = (from + length + 1).min(self.whole);
            if self.skipping.take().is_some() {
                continue;
            }
            let offset = self.base + from as u64;
            let bytes = &self.buffer[from..from + length];
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            let fault = if bytes.len() > self.max_line {
                return Some((offset, too_long(bytes)));
            } else if all_utf8 || simdutf8::basic::from_utf8(bytes).is_ok() {
                None
            } else {
                Some(Reason::InvalidUtf8)
            };
            return Some((offset, Line { bytes, fault }));
        }
    }

    /// Gives out the start of a line that is too long though its end has not
    /// been read, so that it need not be kept.
    fn overlong_start(&mut self) -> Option<(u64, Line<'_>)> {
        // One byte more may be the `\r` of the line's end; and what is given out
        // must not depend on how much of the line has been read.
        let enough = self.max_line.saturating_add(1).max(KEPT_OF_TOO_LONG + 4);
        if self.skipping.is_some() || self.end - self.start <= enough {
            return None;
        }
        let offset = self.base + self.start as u64;
        self.skipping = Some(offset);
        let bytes = self.start..self.end;
        self.start = self.end;
        self.whole = self.end;
        Some((offset, too_long(&self.buffer[bytes])))
    }

    /// Checks all whole lines at once, the first time one is asked for.
    #[inline]
    fn is_utf8(&mut self) -> bool {
        if let Some(answer) = self.utf8 {
            answer
        } else {
            let lines = &self.buffer[self.start..self.whole];
            *self.utf8.insert(simdutf8::basic::from_utf8(lines).is_ok())
        }
    }
}

fn too_long(bytes: &[u8]) -> Line<'_> {
    let mut kept = bytes.len().min(KEPT_OF_TOO_LONG);
    // Cut between characters where the bytes are text.
    while kept > KEPT_OF_TOO_LONG - 4 && kept < bytes.len() && bytes[kept] & 0xc0 == 0x80 {
        kept -= 1;
    }
    Line { bytes: &bytes[..kept], fault: Some(Reason::TooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All lines of `input`, read in pieces of the given sizes, over and over.
    fn lines(input: &[u8], sizes: &[usize], max_line: usize) -> Vec<(Vec<u8>, Option<Reason>)> {
        let cut = |(offset, bytes, fault): (u64, Vec<u8>, Option<Reason>)| {
            assert!(input[offset as usize..].starts_with(&bytes), "at {offset}");
            (bytes, fault)
        };
        placed_lines(input, sizes, max_line).into_iter().map(cut).collect()
    }

    fn placed_lines(
        input: &[u8],
        sizes: &[usize],
        max_line: usize,
    ) -> Vec<(u64, Vec<u8>, Option<Reason>)> {
        let mut reader = LineReader::new(max_line);
        let mut rest = input;
        let mut sizes = sizes.iter().cycle();
        let mut out = Vec::new();
        loop {
            while let Some((offset, line)) = reader.next_line() {
                out.push((offset, line.bytes.to_vec(), line.fault));
            }
            let count = reader
                .fill(|space| {
                    let count = rest.len().min(*sizes.next().unwrap()).min(space.len());
                    space[..count].copy_from_slice(&rest[..count]);
                    rest = &rest[count..];
                    Ok(count)
                })
                .unwrap();
            if count == 0 {
                while let Some((offset, line)) = reader.next_line() {
                    out.push((offset, line.bytes.to_vec(), line.fault));
                }
                assert_eq!(reader.consumed(), input.len() as u64);
                return out;
            }
        }
    }

    #[test]
    fn line_ends() {
        for (input, expected) in [
            (&b""[..], &[][..]),
            (b"a", &[&b"a"[..]]),
            (b"a\n", &[b"a"]),
            (b"a\r\nb\n\n", &[b"a", b"b", b""]),
            (b"\n\r\n\r", &[b"", b"", b""]),
            (b"a\0b\nc", &[b"a\0b", b"c"]),
        ] {
            for sizes in [1, 2, 7, 4096] {
                let got: Vec<Vec<u8>> =
                    lines(input, &[sizes], 100).into_iter().map(|line| line.0).collect();
                assert_eq!(got, expected, "{input:?} by {sizes}");
            }
        }
    }

    #[test]
    fn a_line_may_be_longer_than_a_chunk() {
        let mut input = vec![b'x'; 3 * CHUNK + 5];
        input.extend_from_slice(b"\nshort\n");
        let got = lines(&input, &[100_000], usize::MAX);
        assert_eq!((got[0].0.len(), &got[1].0[..]), (3 * CHUNK + 5, &b"short"[..]));
    }

    #[test]
    fn too_long_is_told_and_passed_over() {
        let mut input = vec![b'x'; 3 * CHUNK];
        input.extend_from_slice(b"\nshort\n");
        for size in [1_000, CHUNK, 10 * CHUNK] {
            let got = lines(&input, &[size], 2_000);
            assert_eq!(got.len(), 2);
            assert_eq!(got[0], (vec![b'x'; KEPT_OF_TOO_LONG], Some(Reason::TooLong)));
            assert_eq!(got[1], (b"short".to_vec(), None));
        }
    }

    #[test]
    fn a_line_too_long_ends_with_its_input() {
        let mut reader = LineReader::new(10);
        let mut lines = Vec::new();
        for input in [&[b'x'; 5_000][..], b"", b"short", b""] {
            reader
                .fill(|space| {
                    space[..input.len()].copy_from_slice(input);
                    Ok(input.len())
                })
                .unwrap();
            while let Some((_, line)) = reader.next_line() {
                lines.push((line.bytes.len(), line.fault));
            }
        }
        assert_eq!(lines, [(KEPT_OF_TOO_LONG, Some(Reason::TooLong)), (5, None)]);
    }

    proptest! {
        #[test]
        fn sizes_of_reads_do_not_matter(
            input in proptest::collection::vec(prop_oneof![
                Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0xc3), Just(0xa9), any::<u8>()
            ], 0..300),
            sizes in proptest::collection::vec(1_usize..20, 1..5),
            max_line in 0_usize..20,
        ) {
            prop_assert_eq!(
                placed_lines(&input, &sizes, max_line),
                placed_lines(&input, &[1_000_000], max_line)
            );
        }
    }
}

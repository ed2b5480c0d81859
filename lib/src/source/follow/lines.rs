//! Bytes of a growing file that wait to become whole lines.

/// What has been read of a file and not yet given out.
///
/// Only whole lines are given out, so that a line which is written in two
/// halves arrives whole. Of a line longer than the limit no more is kept than
/// shows that it is too long.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Begins with a line. Behind `whole`, what the unfinished line has so far.
    bytes: Vec<u8>,
    /// Length of the whole lines.
    whole: usize,
    /// How much of the whole lines has been given out.
    given: usize,
    /// Bytes of the unfinished line that were not kept.
    left_out: u64,
    /// The same of the last of the whole lines.
    left_out_whole: u64,
}

impl Lines {
    /// Takes in what comes next in the file.
    pub(super) fn push(&mut self, mut new: &[u8], max_line: usize) {
        debug_assert_eq!(self.whole, 0, "whole lines are given out first");
        // The first newline ends the line that was begun; the last one is the
        // end of what is whole.
        if self.bytes.len() > max_line {
            let newline = memchr::memchr(b'\n', new);
            let passed_over = newline.unwrap_or(new.len());
            self.left_out += passed_over as u64;
            new = &new[passed_over..];
        }
        let kept = self.bytes.len();
        self.bytes.extend_from_slice(new);
        if let Some(newline) = memchr::memrchr(b'\n', new) {
            self.whole = kept + newline + 1;
            self.left_out_whole = std::mem::take(&mut self.left_out);
        }
        let unfinished = self.bytes.len() - self.whole;
        let limit = max_line.saturating_add(1);
        if unfinished > limit {
            self.left_out += (unfinished - limit) as u64;
            self.bytes.truncate(self.whole + limit);
        }
    }

    /// Takes the unfinished line for whole: its end will never come.
    pub(super) fn finish(&mut self) {
        self.whole = self.bytes.len();
        self.left_out_whole += std::mem::take(&mut self.left_out);
    }

    /// Whether there is anything to give out.
    pub(super) fn has_whole(&self) -> bool {
        self.whole > 0
    }

    /// Whether there is the beginning of a line.
    pub(super) fn has_unfinished(&self) -> bool {
        self.bytes.len() > self.whole
    }

    /// Bytes read and not yet given out, kept or not.
    pub(super) fn pending(&self) -> u64 {
        self.bytes.len() as u64 + self.left_out + self.left_out_whole
    }

    /// Gives out whole lines; 0 when all have been.
    pub(super) fn read(&mut self, space: &mut [u8]) -> usize {
        let rest = &self.bytes[self.given..self.whole];
        let count = rest.len().min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        count
    }

    /// How many lines end within so many bytes of the file.
    pub(super) fn count(&self, bytes: u64) -> u64 {
        let length = self.whole.min(usize::try_from(bytes).unwrap_or(usize::MAX));
        memchr::memchr_iter(b'\n', &self.bytes[..length]).count() as u64
    }

    /// Forgets the whole lines, which have been given out: how many they were,
    /// and how many bytes of the file.
    pub(super) fn clear_whole(&mut self) -> (u64, u64) {
        let whole = &self.bytes[..self.whole];
        let is_cut = whole.last().is_some_and(|last| *last != b'\n');
        let lines = memchr::memchr_iter(b'\n', whole).count() as u64 + u64::from(is_cut);
        let bytes = self.whole as u64 + std::mem::take(&mut self.left_out_whole);
        self.bytes.drain(..self.whole);
        (self.whole, self.given) = (0, 0);
        (lines, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(lines: &mut Lines) -> Vec<u8> {
        let mut space = [0; 7];
        let mut all = Vec::new();
        loop {
            match lines.read(&mut space) {
                0 => return all,
                count => all.extend_from_slice(&space[..count]),
            }
        }
    }

    #[test]
    fn a_line_in_two_halves_arrives_whole() {
        let mut lines = Lines::default();
        lines.push(b"a\nb", 100);
        assert_eq!((given(&mut lines), lines.clear_whole()), (b"a\n".to_vec(), (1, 2)));
        lines.push(b"c", 100);
        assert!(!lines.has_whole() && lines.has_unfinished());
        lines.push(b"d\n\ne", 100);
        assert_eq!((given(&mut lines), lines.clear_whole()), (b"bcd\n\n".to_vec(), (2, 5)));
        assert_eq!(lines.pending(), 1);
        lines.finish();
        assert_eq!((given(&mut lines), lines.clear_whole()), (b"e".to_vec(), (1, 1)));
        assert_eq!(lines.pending(), 0);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            lines.push(&[b'x'; 50], 60);
        }
        assert!(lines.bytes.len() <= 61 && !lines.has_whole());
        assert_eq!(lines.pending(), 5_000);
        lines.push(b"xx\nshort\n", 60);
        assert_eq!(given(&mut lines), [&[b'x'; 61][..], b"\nshort\n"].concat());
        assert_eq!(lines.clear_whole(), (2, 5_000 + 9));
    }
}

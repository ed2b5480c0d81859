//! The content of a file: text as it is, gzip and zstd unpacked.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use super::unpack::Unpacked;

/// Files are read in blocks of this size, so that decoders are fed well.
const BLOCK: usize = 256 * 1024;

/// What a file holds, unpacked if it is compressed.
#[derive(Debug)]
pub(crate) struct Content {
    /// To poll; also what plain bytes are read from.
    file: File,
    decoder: Option<Decoder>,
    /// Whether the first bytes have been looked at.
    sniffed: bool,
    /// First bytes that turned out to be no compressed data.
    pending: Cursor<Vec<u8>>,
    /// How many bytes have come from the file, packed as they are there.
    taken: u64,
}

/// Where unpacking happens.
enum Decoder {
    /// In the reader's turn, which signals end though a pipe has nothing to
    /// give.
    Here(Box<dyn Read>),
    /// Ahead of the reader, of files.
    Beside(Unpacked),
}

impl Decoder {
    fn new(decoder: impl Read + Send + 'static, is_file: bool) -> io::Result<Self> {
        if is_file {
            Unpacked::begin(decoder).map(Self::Beside)
        } else {
            Ok(Self::Here(Box::new(decoder)))
        }
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Here(decoder) => decoder.read(space),
            Self::Beside(unpacked) => unpacked.read(space),
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Whether a file holds packed data. Reads none of it.
pub(crate) fn is_packed(file: &File) -> io::Result<bool> {
    let mut start = [0; 4];
    let count = file.read_at(&mut start, 0)?;
    let start = &start[..count];
    Ok(start.starts_with(GZIP) || start.starts_with(ZSTD))
}

impl Content {
    pub(crate) fn new(file: File) -> Self {
        Self { file, decoder: None, sniffed: false, pending: Cursor::default(), taken: 0 }
    }

    /// Whether bytes may be at hand that no longer show in the file.
    pub(crate) fn is_compressed(&self) -> bool {
        self.decoder.is_some()
    }

    /// What to poll.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// How many bytes have come from the file, packed as they are there.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Reads unpacked bytes; 0 is the end.
    ///
    /// # Errors
    ///
    /// Fails if the system does, or packed data are damaged or cut short.
    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if !self.sniffed {
            self.sniff()?;
            self.sniffed = true;
        }
        if let Some(decoder) = &mut self.decoder {
            let count = decoder.read(space)?;
            if let Ok(position) = self.file.stream_position() {
                self.taken = position;
            }
            return Ok(count);
        }
        let mut count = self.pending.read(space)?;
        if count == 0 {
            count = self.file.read(space)?;
        }
        self.taken += count as u64;
        Ok(count)
    }

    /// Passes over the first bytes, which another run has read.
    ///
    /// # Errors
    ///
    /// Fails as [`read`](Self::read) does.
    pub(crate) fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        if !is_packed(&self.file)? {
            self.sniffed = true;
            self.taken = self.file.seek(SeekFrom::Start(bytes))?;
            return Ok(());
        }
        let mut space = vec![0; BLOCK];
        while bytes > 0 {
            let wanted = space.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            match self.read(&mut space[..wanted])? {
                0 => return Ok(()),
                count => bytes -= count as u64,
            }
        }
        Ok(())
    }

    /// Reads just enough to tell compressed data from text: of text, no more
    /// than comes by itself.
    fn sniff(&mut self) -> io::Result<()> {
        let mut start = Vec::new();
        let may_be = |start: &[u8], magic: &[u8]| {
            start.len() < magic.len() && magic.starts_with(start) && !start.is_empty()
        };
        loop {
            let mut byte = [0; 4];
            let wanted = if start.is_empty() { 1 } else { 4 - start.len() };
            let count = self.file.read(&mut byte[..wanted])?;
            start.extend_from_slice(&byte[..count]);
            if count == 0 || !(may_be(&start, GZIP) || may_be(&start, ZSTD)) {
                break;
            }
        }
        let (gzip, zstd) = (start.starts_with(GZIP), start.starts_with(ZSTD));
        let whole = Cursor::new(start.clone()).chain(self.file.try_clone()?);
        let is_file = self.file.metadata()?.is_file();
        if gzip {
            let reader = BufReader::with_capacity(BLOCK, whole);
            let decoder = flate2::bufread::MultiGzDecoder::new(reader);
            self.decoder = Some(Decoder::new(decoder, is_file)?);
        } else if zstd {
            let reader = BufReader::with_capacity(BLOCK, whole);
            let decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            self.decoder = Some(Decoder::new(decoder, is_file)?);
        } else {
            self.pending = Cursor::new(start);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn compressed_files_are_known_by_their_content() {
        let text = b"{\"a\":1}\n".repeat(1_000);
        let mut gzip = Vec::new();
        let mut encoder = flate2::write::GzEncoder::new(&mut gzip, flate2::Compression::fast());
        encoder.write_all(&text).unwrap();
        encoder.finish().unwrap();
        // Two members behind one another are one file, as `cat a.gz b.gz` makes it.
        let twice = [gzip.clone(), gzip].concat();
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        for (stored, expected) in [
            (text.clone(), text.clone()),
            (twice, [&text[..], &text].concat()),
            (zstd, text.clone()),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&stored).unwrap();
            file.rewind().unwrap();
            let mut content = Content::new(file);
            let mut read = Vec::new();
            let mut space = [0; 1_000];
            loop {
                let count = content.read(&mut space).unwrap();
                if count == 0 {
                    break;
                }
                read.extend_from_slice(&space[..count]);
            }
            assert_eq!(read, expected);
        }
    }
}

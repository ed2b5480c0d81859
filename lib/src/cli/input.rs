//! Files, directories, globs and stdin as the input of a stage.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::progress::Progress;
use super::report::Report;
use super::signals::Signals;
use crate::stream::{Event, Input, Operator, Output, StageError};
use crate::time::Timestamp;

/// A stage that is no source goes on reading this long after it was told to
/// stop: the source has been told too, and its end is on the way.
const GRACE: Duration = Duration::from_secs(5);
/// What a pipe may hold if the system lets it: the most that an ordinary user
/// may ask for.
const PIPE: usize = 1024 * 1024;
/// Files are read in blocks of this size, so that decoders are fed well.
const BLOCK: usize = 256 * 1024;

/// The files that arguments stand for: a directory for the files in it (not
/// those whose names begin with a dot), a pattern for what it matches, both in
/// byte order of names; `-` for stdin.
///
/// # Errors
///
/// Fails if something does not exist or matches nothing.
pub fn expand_paths(arguments: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for argument in arguments {
        if argument == Path::new("-") {
            paths.push(argument.clone());
        } else if let Ok(metadata) = fs::metadata(argument) {
            if metadata.is_dir() {
                paths.extend(files_in(argument)?);
            } else {
                paths.push(argument.clone());
            }
        } else {
            paths.extend(matches_of(argument)?);
        }
    }
    Ok(paths)
}

fn files_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = directory.display();
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {shown}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {shown}"))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort_by(|a, b| bytes(a).cmp(bytes(b)));
    Ok(files)
}

fn matches_of(argument: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = argument.display();
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let pattern = argument.to_str().filter(|text| text.contains(['*', '?', '[']));
    let Some(pattern) = pattern else {
        return Err(File::open(argument).err().unwrap_or_else(missing))
            .with_context(|| format!("cannot open {shown}"));
    };
    let found = glob::glob(pattern).with_context(|| format!("bad pattern {shown}"))?;
    let mut files: Vec<PathBuf> = found.flatten().filter(|path| path.is_file()).collect();
    anyhow::ensure!(!files.is_empty(), "no file matches {shown}");
    files.sort_by(|a, b| bytes(a).cmp(bytes(b)));
    Ok(files)
}

fn bytes(path: &Path) -> &[u8] {
    OsStr::as_bytes(path.as_os_str())
}

/// An input that is being read.
#[derive(Debug)]
struct Source {
    /// To poll; also what plain bytes are read from.
    file: File,
    decoder: Option<Decoder>,
    /// Whether the first bytes have been looked at.
    sniffed: bool,
    /// First bytes that turned out to be no compressed data.
    pending: Cursor<Vec<u8>>,
    /// How much of a compressed file has been read, for progress.
    position: u64,
}

struct Decoder(Box<dyn Read>);

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

impl Source {
    fn new(file: File) -> Self {
        Self { file, decoder: None, sniffed: false, pending: Cursor::default(), position: 0 }
    }

    fn read(&mut self, space: &mut [u8], progress: &mut Progress) -> io::Result<usize> {
        if !self.sniffed {
            self.sniff()?;
            self.sniffed = true;
        }
        if let Some(decoder) = &mut self.decoder {
            let count = decoder.0.read(space)?;
            if let Ok(position) = self.file.stream_position() {
                progress.advance(position.saturating_sub(self.position));
                self.position = position;
            }
            return Ok(count);
        }
        let mut count = self.pending.read(space)?;
        if count == 0 {
            count = self.file.read(space)?;
        }
        progress.advance(count as u64);
        Ok(count)
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
        if gzip {
            let reader = BufReader::with_capacity(BLOCK, whole);
            self.decoder = Some(Decoder(Box::new(flate2::bufread::MultiGzDecoder::new(reader))));
        } else if zstd {
            let reader = BufReader::with_capacity(BLOCK, whole);
            let decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            self.decoder = Some(Decoder(Box::new(decoder)));
        } else {
            self.pending = Cursor::new(start);
        }
        Ok(())
    }
}

/// The input of a stage: files one after another, or stdin; with signals,
/// timers and a view of whether stdout is still read.
#[derive(Debug)]
pub(super) struct Sources {
    queue: VecDeque<PathBuf>,
    current: Option<Source>,
    /// Whether this stage is the first of its pipeline.
    is_source: bool,
    signals: Signals,
    /// When a stage that is no source stops for a signal.
    deadline: Option<Instant>,
    report: Report,
    progress: Progress,
    stdout: OwnedFd,
    stdout_is_pipe: bool,
}

/// Whether a descriptor is a pipe or a socket: what another stage can be
/// behind.
pub(super) fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    let metadata = fd.try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    metadata
        .is_ok_and(|metadata| metadata.file_type().is_fifo() || metadata.file_type().is_socket())
}

impl Sources {
    pub(super) fn new(
        paths: Vec<PathBuf>,
        signals: Signals,
        report: Report,
        when: super::ProgressWhen,
    ) -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        let is_source = paths != [Path::new("-")] || !is_pipe(stdin);
        let total = total_size(&paths);
        let progress = Progress::new(report.stage(), when, is_source, total);
        let stdout = rustix::stdio::stdout();
        let stdout_is_pipe = is_pipe(stdout);
        let stdout = stdout.try_clone_to_owned()?;
        if stdout_is_pipe {
            enlarge(stdout.as_fd());
        }
        Ok(Self {
            queue: paths.into(),
            current: None,
            is_source,
            signals,
            deadline: None,
            report,
            progress,
            stdout,
            stdout_is_pipe,
        })
    }

    /// Stops watching whether stdout is still read.
    pub(super) fn forget_stdout(&mut self) {
        self.stdout_is_pipe = false;
    }

    /// Takes progress off the screen and gives back the report.
    pub(super) fn finish(mut self) -> Report {
        self.progress.clear();
        self.report
    }

    /// What signals and timers ask for.
    fn pending_event(&mut self) -> Option<Event> {
        if self.signals.stop() {
            let grace = if self.is_source { Duration::ZERO } else { GRACE };
            let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + grace);
            if Instant::now() >= deadline {
                return Some(Event::Stop);
            }
        }
        let asked = self.signals.take_show_stats();
        (asked || self.report.is_due()).then_some(Event::ShowStats)
    }

    /// Waits for input, a signal or the reader's leaving; tells which came, if
    /// any did within `timeout`.
    fn poll_fds(&mut self, timeout: Option<Duration>) -> io::Result<Option<Event>> {
        let Some(source) = &self.current else { return Ok(Some(Event::Readable)) };
        let mut fds = [
            PollFd::new(&source.file, PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN),
            PollFd::new(&self.stdout, PollFlags::empty()),
        ];
        let watched = if self.stdout_is_pipe { &mut fds[..] } else { &mut fds[..2] };
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match poll(watched, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let input = fds[0].revents();
        let signal = !fds[1].revents().is_empty();
        let reader_gone = fds[2].revents().intersects(PollFlags::ERR | PollFlags::HUP);
        if signal {
            self.signals.drain();
        }
        if reader_gone {
            return Ok(Some(Event::ReaderGone));
        }
        // A hang-up shows as end of file when it is read.
        Ok((!input.is_empty()).then_some(Event::Readable))
    }
}

/// The size of all files, unless one is no regular file.
fn total_size(paths: &[PathBuf]) -> Option<u64> {
    let size = |path: &PathBuf| {
        let metadata = if path == Path::new("-") {
            File::from(rustix::stdio::stdin().try_clone_to_owned().ok()?).metadata().ok()?
        } else {
            fs::metadata(path).ok()?
        };
        metadata.is_file().then_some(metadata.len())
    };
    paths.iter().map(size).sum()
}

/// Asks for a larger pipe, which saves switches between the stages; does
/// nothing if the system refuses.
fn enlarge(pipe: BorrowedFd<'_>) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE);
}

impl Input for Sources {
    fn next_source(&mut self) -> Result<Option<String>, StageError> {
        let Some(path) = self.queue.pop_front() else { return Ok(None) };
        let (file, name) = if path == Path::new("-") {
            let stdin = rustix::stdio::stdin();
            if is_pipe(stdin) {
                enlarge(stdin);
            }
            (stdin.try_clone_to_owned().map(File::from), "stdin".to_owned())
        } else {
            (File::open(&path), path.display().to_string())
        };
        let file = file.map_err(|source| StageError::Read { from: name.clone(), source })?;
        self.current = Some(Source::new(file));
        Ok(Some(name))
    }

    fn next_source_waits(&self) -> bool {
        let next = self.queue.front().and_then(|path| fs::metadata(path).ok());
        next.is_some_and(|metadata| metadata.file_type().is_fifo())
    }

    fn poll(&mut self) -> io::Result<Event> {
        if let Some(event) = self.pending_event() {
            return Ok(event);
        }
        Ok(self.poll_fds(Some(Duration::ZERO))?.unwrap_or(Event::Pending))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Event> {
        // A time too far away to be told is never reached.
        let wake = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(event) = self.pending_event() {
                return Ok(event);
            }
            // A decoder may hold data that no longer show in its file.
            if self.current.as_ref().is_some_and(|source| source.decoder.is_some()) {
                return Ok(Event::Readable);
            }
            let now = Instant::now();
            if wake.is_some_and(|wake| now >= wake) {
                // Input that has come meanwhile goes first.
                return Ok(self.poll_fds(Some(Duration::ZERO))?.unwrap_or(Event::TimedOut));
            }
            let next = [wake, self.deadline, self.report.due()].into_iter().flatten().min();
            let timeout = next.map(|next| next.saturating_duration_since(now));
            if let Some(event) = self.poll_fds(timeout)? {
                return Ok(event);
            }
        }
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let Some(source) = &mut self.current else { return Ok(0) };
        loop {
            match source.read(space, &mut self.progress) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn now(&self) -> Timestamp {
        let micros = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        })
    }

    fn show_stats(&mut self, operator: &dyn Operator, out: &Output) -> Result<(), StageError> {
        self.report.show(operator, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn directories_and_patterns_come_in_byte_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.log", "Z.log", ".hidden"] {
            File::create(folder.path().join(name)).unwrap();
        }
        let names = |argument: &str| -> Vec<String> {
            let paths = expand_paths(&[folder.path().join(argument)]).unwrap();
            paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(""), ["Z.log", "a.log", "b.log"]);
        assert_eq!(names("[ab].log"), ["a.log", "b.log"]);
        assert!(expand_paths(&[folder.path().join("*.txt")]).is_err());
        assert!(expand_paths(&[folder.path().join("missing")]).is_err());
    }

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
            let mut source = Source::new(file);
            let mut progress = Progress::new("test", super::super::ProgressWhen::Never, true, None);
            let mut read = Vec::new();
            let mut space = [0; 1_000];
            loop {
                let count = source.read(&mut space, &mut progress).unwrap();
                if count == 0 {
                    break;
                }
                read.extend_from_slice(&space[..count]);
            }
            assert_eq!(read, expected);
        }
    }
}

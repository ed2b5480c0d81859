//! What container runtimes put around the lines of a program.

use crate::line::json;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::{TimeReader, Timestamp};

/// Takes lines out of what a container runtime put around them.
///
/// | runtime | line |
/// | --- | --- |
/// | CRI (containerd, CRI-O) | `2024-03-05T07:08:09.123456789Z stdout F line` |
/// | Docker's json-file | `{"log":"line\n","stream":"stdout","time":"2024-03-05T07:08:09.123456789Z"}` |
///
/// Both cut long lines (Docker after 16 KiB): CRI marks a part with `P`, and in
/// Docker's form a part lacks the `\n`. Parts are put together with what
/// follows in the same stream from the same source, up to 1 MiB. Lines of
/// several files are told apart by what `ingest --metadata` says of them; where
/// it says nothing they are taken for one file's.
///
/// Source: the CRI logging format of Kubernetes, and Docker's `jsonlog`.
#[derive(Debug, Default)]
pub struct Containers {
    /// Lines whose rest is to come, in the order in which they began.
    held: Vec<Parts>,
    /// The line that was given out last.
    whole: Vec<u8>,
    clock: TimeReader,
}

/// The longest line that is put together, in bytes.
const LONGEST: usize = 1 << 20;

/// A line of which parts have come.
#[derive(Debug)]
struct Parts {
    /// See [`origin`].
    origin: Vec<u8>,
    stream: usize,
    text: Vec<u8>,
    /// When the first part was written.
    time: Timestamp,
    /// Whether the line was too long and is passed over to its end.
    skips: bool,
}

impl Parts {
    fn is_of(&self, origin: &[u8], stream: usize) -> bool {
        self.stream == stream && self.origin == origin
    }

    fn push(&mut self, wrapper: &Wrapper<'_>) {
        self.skips |= self.text.len() + wrapper.text.len() > LONGEST;
        if self.skips {
            self.text = Vec::new();
        } else {
            wrapper.write(&mut self.text);
        }
    }
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Unwrapped<'a> {
    /// A line without such a wrapper.
    No,
    /// A part, kept until the rest comes.
    Part,
    /// The end of a line longer than 1 MiB, or a part that makes it so.
    TooLong,
    /// A line, and when it (or its first part) was written.
    Line(&'a [u8], Timestamp),
}

/// A wrapper as it was read.
struct Wrapper<'a> {
    stream: usize,
    time: &'a [u8],
    text: &'a [u8],
    /// Whether the text has the escapes of JSON.
    escaped: bool,
    partial: bool,
}

impl Wrapper<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if self.escaped {
            json::unescape(self.text, out);
        } else {
            out.extend_from_slice(self.text);
        }
    }
}

impl Containers {
    /// Takes the line out of CRI's wrapper. `source` is the value of its
    /// `@source`, if it has one.
    #[inline]
    pub fn cri(&mut self, line: &[u8], source: Option<&[u8]>) -> Unwrapped<'_> {
        match cri(line) {
            Some(wrapper) => self.unwrap(&wrapper, source),
            None => Unwrapped::No,
        }
    }

    /// Takes the line out of Docker's wrapper, of which only the opening brace
    /// (and what `ingest` may have put behind it, the value of which is
    /// `source`) has been read.
    #[inline]
    pub fn docker(&mut self, members: &[u8], source: Option<&[u8]>) -> Unwrapped<'_> {
        match docker(members) {
            Some(wrapper) => self.unwrap(&wrapper, source),
            None => Unwrapped::No,
        }
    }

    fn unwrap(&mut self, wrapper: &Wrapper<'_>, source: Option<&[u8]>) -> Unwrapped<'_> {
        let Some(time) = self.clock.parse(wrapper.time) else { return Unwrapped::No };
        let (origin, stream) = (origin(source), wrapper.stream);
        let begun = self.held.iter().position(|parts| parts.is_of(origin, stream));
        let at = match begun {
            Some(at) => at,
            None if wrapper.text.len() > LONGEST && !wrapper.partial => return Unwrapped::TooLong,
            None if !wrapper.partial => {
                self.whole.clear();
                wrapper.write(&mut self.whole);
                return Unwrapped::Line(&self.whole, time);
            }
            None => {
                let (origin, text) = (origin.to_vec(), Vec::new());
                self.held.push(Parts { origin, stream, text, time, skips: false });
                self.held.len() - 1
            }
        };
        self.held[at].push(wrapper);
        match (wrapper.partial, self.held[at].skips) {
            (true, false) => Unwrapped::Part,
            (true, true) => Unwrapped::TooLong,
            (false, skips) => {
                let Parts { text, time, .. } = self.held.remove(at);
                self.whole = text;
                if skips { Unwrapped::TooLong } else { Unwrapped::Line(&self.whole, time) }
            }
        }
    }

    /// Writes the parts that wait for their rest.
    pub(crate) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.held.len() as u64);
        for parts in &self.held {
            state.bytes(&parts.origin);
            state.u64(parts.stream as u64);
            state.bool(parts.skips);
            state.i64(parts.time.micros);
            state.u64(parts.time.nanos.into());
            state.bytes(&parts.text);
        }
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote.
    ///
    /// # Errors
    ///
    /// Fails if it wrote something else.
    pub(crate) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.held.clear();
        for _ in 0..state.u64()? {
            let origin = state.bytes()?.to_vec();
            let stream = usize::from(state.u64()? > 0);
            let skips = state.bool()?;
            let micros = state.i64()?;
            let nanos = u16::try_from(state.u64()?).ok().filter(|nanos| *nanos < 1_000);
            let nanos = nanos.ok_or(RestoreError::Damaged("a time is out of range"))?;
            let text = state.bytes()?.to_vec();
            self.held.push(Parts {
                origin,
                stream,
                text,
                time: Timestamp { micros, nanos },
                skips,
            });
        }
        Ok(())
    }

    /// Takes out the first line whose rest has not come, at the end of the data
    /// or of a file.
    pub fn unfinished(&mut self) -> Option<(&[u8], Timestamp)> {
        self.held.retain(|parts| !parts.skips);
        if self.held.is_empty() {
            return None;
        }
        let Parts { text, time, .. } = self.held.remove(0);
        self.whole = text;
        Some((&self.whole, time))
    }
}

/// What a value of `@source` says of where its line came from, apart from the
/// place in there: quotes in a path are escaped, so the key is none of its.
fn origin(source: Option<&[u8]>) -> &[u8] {
    let source = source.unwrap_or_default();
    let end = memchr::memmem::find(source, b",\"offset\":");
    &source[..end.unwrap_or(source.len())]
}

/// Reads `time stream tags text`; of the tags the first letter counts.
#[inline]
fn cri(line: &[u8]) -> Option<Wrapper<'_>> {
    if line.first()?.is_ascii_digit() && line.get(10) == Some(&b'T') {
        let end = memchr::memchr(b' ', line)?;
        let (stream, rest) = match line[end..].split_first_chunk()? {
            (b" stdout ", rest) => (0, rest),
            (b" stderr ", rest) => (1, rest),
            _ => return None,
        };
        let blank = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        let partial = match rest[..blank] {
            [b'F'] | [b'F', b':', ..] => false,
            [b'P'] | [b'P', b':', ..] => true,
            _ => return None,
        };
        let text = rest.get(blank + 1..).unwrap_or_default();
        return Some(Wrapper { stream, time: &line[..end], text, escaped: false, partial });
    }
    None
}

/// Reads `"log":"…","stream":"…","attrs":{…},"time":"…"}`, in the order that
/// Docker has them, so that nobody else's record is taken for one.
#[inline]
fn docker(members: &[u8]) -> Option<Wrapper<'_>> {
    let rest = members.strip_prefix(br#""log":""#)?;
    let log = json::string_end(rest, 0).ok()?;
    let (text, rest) = rest.split_at(log.end);
    let text = &text[..text.len() - 1];
    let (stream, rest) = match rest.split_first_chunk()? {
        (br#","stream":"stdout""#, rest) => (0, rest),
        (br#","stream":"stderr""#, rest) => (1, rest),
        _ => return None,
    };
    let rest = match rest.strip_prefix(br#","attrs":{"#) {
        Some(attrs) => &attrs[memchr::memmem::find(attrs, br#"},"time":""#)? + 1..],
        None => rest,
    };
    let time = rest.strip_prefix(br#","time":""#)?.trim_ascii_end().strip_suffix(br#""}"#)?;
    let (text, partial) = match text.strip_suffix(br"\n") {
        Some(whole) => (whole, false),
        None => (text, true),
    };
    Some(Wrapper { stream, time, text, escaped: log.escaped, partial })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2024-03-05T07:08:09.123456789Z";

    fn told(unwrapped: &Unwrapped<'_>) -> String {
        match unwrapped {
            Unwrapped::No => "no".to_owned(),
            Unwrapped::Part => "part".to_owned(),
            Unwrapped::TooLong => "too long".to_owned(),
            Unwrapped::Line(text, time) => format!("{time} {}", String::from_utf8_lossy(text)),
        }
    }

    #[test]
    fn parts_are_put_together_per_stream() {
        let mut containers = Containers::default();
        for (line, expected) in [
            ("stdout F a b", format!("{TIME} a b")),
            ("stdout F ", format!("{TIME} ")),
            ("stdout P a ", "part".to_owned()),
            ("stderr F:x c", format!("{TIME} c")),
            ("stdout P:x b", "part".to_owned()),
            ("stdout F  c", format!("{TIME} a b c")),
            ("stdout X c", "no".to_owned()),
            ("stdin F c", "no".to_owned()),
            ("stderr P rest", "part".to_owned()),
        ] {
            let line = format!("{TIME} {line}");
            assert_eq!(told(&containers.cri(line.as_bytes(), None)), expected, "{line}");
        }
        let (text, time) = containers.unfinished().unwrap();
        assert_eq!((text, time.to_string().as_str()), (&b"rest"[..], TIME));
        assert!(containers.unfinished().is_none());
    }

    #[test]
    fn parts_are_put_together_per_source() {
        let mut containers = Containers::default();
        for (source, line, expected) in [
            (Some(r#"{"path":"a,\"offset\":","offset":0}"#), "P a", "part".to_owned()),
            (Some(r#"{"path":"b","offset":0}"#), "P b", "part".to_owned()),
            (None, "P c", "part".to_owned()),
            (Some(r#"{"peer":"192.0.2.1:9"}"#), "F d", format!("{TIME} d")),
            (Some(r#"{"path":"a,\"offset\":","offset":9}"#), "F 1", format!("{TIME} a1")),
            (None, "F 3", format!("{TIME} c3")),
            (Some(r#"{"path":"b","offset":50}"#), "F 2", format!("{TIME} b2")),
        ] {
            let line = format!("{TIME} stdout {line}");
            let source = source.map(str::as_bytes);
            assert_eq!(told(&containers.cri(line.as_bytes(), source)), expected, "{line}");
        }
        assert!(containers.unfinished().is_none());
    }

    #[test]
    fn docker_is_known_by_its_members() {
        let mut containers = Containers::default();
        let line = |log: &str| format!(r#""log":"{log}","stream":"stdout","time":"{TIME}"}}"#);
        for (line, expected) in [
            (line(r"say \u0022hi\u0022\n"), format!(r#"{TIME} say "hi""#)),
            (line("half "), "part".to_owned()),
            (line(r"whole\n"), format!("{TIME} half whole")),
            (line(r"\n").replace(",\"time", r#","attrs":{"a":"b"},"time"#), format!("{TIME} ")),
            (line("x").replace("stdout", "other"), "no".to_owned()),
            (line("x").replace("\"log\"", "\"msg\""), "no".to_owned()),
            (line("x").replace(TIME, "soon"), "no".to_owned()),
        ] {
            assert_eq!(told(&containers.docker(line.as_bytes(), None)), expected, "{line}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over_to_its_end() {
        let mut containers = Containers::default();
        let part = format!("{TIME} stdout P {}", "x".repeat(LONGEST / 2 + 1));
        let end = format!("{TIME} stdout F x");
        assert_eq!(told(&containers.cri(part.as_bytes(), None)), "part");
        assert_eq!(told(&containers.cri(part.as_bytes(), None)), "too long");
        assert_eq!(told(&containers.cri(end.as_bytes(), None)), "too long");
        assert_eq!(told(&containers.cri(end.as_bytes(), None)), format!("{TIME} x"));
    }
}

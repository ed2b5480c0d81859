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
/// follows in the same stream, up to 1 MiB.
///
/// Source: the CRI logging format of Kubernetes, and Docker's `jsonlog`.
#[derive(Debug, Default)]
pub struct Containers {
    streams: [Parts; 2],
    clock: TimeReader,
}

/// The longest line that is put together, in bytes.
const LONGEST: usize = 1 << 20;

#[derive(Debug, Default)]
struct Parts {
    /// The parts so far, then the whole line.
    text: Vec<u8>,
    /// When the first part was written; `None` if there is none.
    time: Option<Timestamp>,
    /// Whether the line was too long and is passed over to its end.
    skips: bool,
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

impl Containers {
    /// Takes the line out of CRI's wrapper.
    #[inline]
    pub fn cri(&mut self, line: &[u8]) -> Unwrapped<'_> {
        match cri(line) {
            Some(wrapper) => self.unwrap(&wrapper),
            None => Unwrapped::No,
        }
    }

    /// Takes the line out of Docker's wrapper, of which only the opening brace
    /// (and what `ingest` may have put behind it) has been read.
    #[inline]
    pub fn docker(&mut self, members: &[u8]) -> Unwrapped<'_> {
        match docker(members) {
            Some(wrapper) => self.unwrap(&wrapper),
            None => Unwrapped::No,
        }
    }

    fn unwrap(&mut self, wrapper: &Wrapper<'_>) -> Unwrapped<'_> {
        let Some(time) = self.clock.parse(wrapper.time) else { return Unwrapped::No };
        let parts = &mut self.streams[wrapper.stream];
        if parts.time.is_none() {
            parts.text.clear();
        }
        let time = *parts.time.get_or_insert(time);
        if !wrapper.partial {
            parts.time = None;
        }
        if parts.skips || parts.text.len() + wrapper.text.len() > LONGEST {
            parts.skips = wrapper.partial;
            return Unwrapped::TooLong;
        }
        if wrapper.escaped {
            json::unescape(wrapper.text, &mut parts.text);
        } else {
            parts.text.extend_from_slice(wrapper.text);
        }
        if wrapper.partial { Unwrapped::Part } else { Unwrapped::Line(&parts.text, time) }
    }

    /// Writes the parts that wait for their rest.
    pub(crate) fn snapshot(&self, state: &mut SnapshotWriter) {
        for parts in &self.streams {
            state.bool(parts.skips);
            state.option(parts.time, |state, time| {
                state.i64(time.micros);
                state.u64(time.nanos.into());
                state.bytes(&parts.text);
            });
        }
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote.
    ///
    /// # Errors
    ///
    /// Fails if it wrote something else.
    pub(crate) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        for parts in &mut self.streams {
            parts.skips = state.bool()?;
            parts.time = state.option(|state| {
                let micros = state.i64()?;
                let nanos = u16::try_from(state.u64()?).ok().filter(|nanos| *nanos < 1_000);
                let nanos = nanos.ok_or(RestoreError::Damaged("a time is out of range"))?;
                parts.text = state.bytes()?.to_vec();
                Ok(Timestamp { micros, nanos })
            })?;
        }
        Ok(())
    }

    /// Takes out a line whose rest has not come, at the end of the data.
    pub fn unfinished(&mut self) -> Option<(&[u8], Timestamp)> {
        let parts = self.streams.iter_mut().find(|parts| parts.time.is_some() && !parts.skips)?;
        let time = parts.time.take()?;
        Some((&parts.text, time))
    }
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
            assert_eq!(told(&containers.cri(line.as_bytes())), expected, "{line}");
        }
        let (text, time) = containers.unfinished().unwrap();
        assert_eq!((text, time.to_string().as_str()), (&b"rest"[..], TIME));
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
            assert_eq!(told(&containers.docker(line.as_bytes())), expected, "{line}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over_to_its_end() {
        let mut containers = Containers::default();
        let part = format!("{TIME} stdout P {}", "x".repeat(LONGEST / 2 + 1));
        let end = format!("{TIME} stdout F x");
        assert_eq!(told(&containers.cri(part.as_bytes())), "part");
        assert_eq!(told(&containers.cri(part.as_bytes())), "too long");
        assert_eq!(told(&containers.cri(end.as_bytes())), "too long");
        assert_eq!(told(&containers.cri(end.as_bytes())), format!("{TIME} x"));
    }
}

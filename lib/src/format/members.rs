//! Writing a record member by member.

use crate::line::json;
use crate::time::Timestamp;

/// Appends JSON members, with commas between them and no braces around them.
#[derive(Debug)]
pub(super) struct Members<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> Members<'o> {
    /// The first member will stand at the end of `out`.
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { start: out.len(), out }
    }

    /// Begins a member; its value is to be appended to what is returned.
    #[inline]
    pub(super) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// As [`key`](Self::key), for a name that comes from the line.
    #[inline]
    pub(super) fn any_key(&mut self, name: &[u8]) -> &mut Vec<u8> {
        self.separate();
        json::write_string(name, self.out);
        self.out.push(b':');
        self.out
    }

    #[inline]
    fn separate(&mut self) {
        if self.out.len() > self.start {
            self.out.push(b',');
        }
    }

    /// The event time, if there is one.
    #[inline]
    pub(super) fn timestamp(&mut self, time: Option<Timestamp>) {
        if let Some(time) = time {
            let out = self.key("timestamp");
            out.push(b'"');
            time.write(out);
            out.push(b'"');
        }
    }

    /// A string, as it stands in the line.
    #[inline]
    pub(super) fn text(&mut self, name: &str, text: &[u8]) {
        json::write_string(text, self.key(name));
    }

    /// A string, if there is one.
    #[inline]
    pub(super) fn optional(&mut self, name: &str, text: Option<&[u8]>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A value that is JSON already, if there is one.
    #[inline]
    pub(super) fn verbatim(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.key(name).extend_from_slice(value);
        }
    }
}

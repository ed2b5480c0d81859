//! Lines out of what was put around them.

use super::super::{begins_with_brace, container};
use crate::format::{Containers, Unwrapped};
use crate::line::{Kind, Line, Projection, Reason, Scanner, json};
use crate::time::Timestamp;

/// The text of a line that a format reads.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) text: Vec<u8>,
    /// What it was in, as `, out of …`.
    pub(super) via: String,
    /// Whether it came out of a wrapper that `parse` takes off.
    pub(super) is_wrapped: bool,
    /// Whether the rest of the line is to come.
    pub(super) is_part: bool,
    /// Where it ceases to be UTF-8.
    pub(super) not_utf8_at: Option<usize>,
}

/// Takes wrappers off in step with the parser, which has its own.
#[derive(Debug)]
pub(super) struct Layers {
    containers: Containers,
    scanner: Scanner,
}

const RAW: usize = 0;
const ERROR: usize = 1;
const SOURCE: usize = 2;
const KEPT: usize = 3;
const PATH: usize = 4;
const NUMBER: usize = 5;
const ORIGIN: usize = 6;

impl Default for Layers {
    fn default() -> Self {
        let names = ["@raw", "error", "source", "raw", "source.path", "source.line", "@source"];
        let projection = Projection::from_iter(names);
        let scanner = Scanner::new(projection).with_members();
        Self { containers: Containers::default(), scanner }
    }
}

impl Layers {
    /// The line that `--rejects` kept, if this is one, and the text in it.
    pub(super) fn unwrap(&mut self, line: Line<'_>) -> (Option<Vec<u8>>, Inner) {
        let Some((kept, from)) = self.kept(line.bytes) else {
            return (None, self.inner(line));
        };
        let mut inner = self.inner(Line { bytes: &kept, fault: None });
        inner.via.push_str(&from);
        (Some(kept), inner)
    }

    /// The line in a row of `--rejects`, and where it was rejected and why.
    fn kept(&mut self, line: &[u8]) -> Option<(Vec<u8>, String)> {
        if !begins_with_brace(line) || self.scanner.scan(line).is_err() {
            return None;
        }
        let slots = self.scanner.members().iter().map(|member| member.slot.map(usize::from));
        let is_row = slots.eq([ERROR, SOURCE, KEPT].map(Some));
        let kept = self.string(KEPT, line).filter(|_| is_row)?;
        let error = self.string(ERROR, line)?;
        let reason = error.split(|byte| *byte == b':').next().unwrap_or_default();
        let path = self.string(PATH, line).unwrap_or_default();
        let number = self.scanner.field(NUMBER).text(line);
        let [reason, path, number] = [reason, &path, number].map(String::from_utf8_lossy);
        Some((kept, format!(", kept from {path}:{number} as {reason}")))
    }

    /// The text of a field that is a string.
    fn string(&self, slot: usize, line: &[u8]) -> Option<Vec<u8>> {
        let field = self.scanner.field(slot);
        let mut text = Vec::new();
        if matches!(field.kind, Kind::Str | Kind::EscapedStr) {
            json::unescape(field.inner(line), &mut text);
            return Some(text);
        }
        None
    }

    fn inner(&mut self, line: Line<'_>) -> Inner {
        let bad = line.fault == Some(Reason::InvalidUtf8);
        let lossy = String::from_utf8_lossy(line.bytes);
        let text = lossy.as_bytes();
        let not_utf8_at = std::str::from_utf8(line.bytes).err().map(|error| error.valid_up_to());
        if !bad && let Some((source, members)) = container::docker_members(text) {
            let unwrapped = self.containers.docker(members, source);
            if let Some(inner) = Inner::contained(unwrapped, ", out of Docker's wrapper") {
                return inner;
            }
        }
        let is_json = !bad && begins_with_brace(text) && self.scanner.scan(text).is_ok();
        let raw = if is_json { self.string(RAW, text) } else { None };
        let origin = self.scanner.field(ORIGIN);
        let source = (raw.is_some() && origin.kind == Kind::Object).then(|| origin.text(text));
        let (raw, via) = match raw {
            Some(raw) => (raw, ", out of @raw"),
            None => (text.to_vec(), ""),
        };
        let unwrapped = self.containers.cri(&raw, source);
        let contained = Inner::contained(unwrapped, &format!("{via}, out of CRI's wrapper"));
        contained.unwrap_or_else(|| Inner {
            is_wrapped: !via.is_empty(),
            via: via.to_owned(),
            text: raw,
            is_part: false,
            not_utf8_at,
        })
    }

    /// Takes out a text whose rest has not come, at the end of the data.
    pub(super) fn unfinished(&mut self) -> Option<(Inner, Timestamp)> {
        let (text, time) = self.containers.unfinished()?;
        let via = ", out of a container's wrapper, without its end".to_owned();
        let text = text.to_vec();
        Some((Inner { text, via, is_wrapped: true, is_part: false, not_utf8_at: None }, time))
    }
}

impl Inner {
    /// What was in a container's wrapper, if there was one.
    fn contained(unwrapped: Unwrapped<'_>, via: &str) -> Option<Self> {
        let (text, is_part) = match unwrapped {
            Unwrapped::No => return None,
            Unwrapped::Part => (&[][..], true),
            Unwrapped::TooLong => (&[][..], false),
            Unwrapped::Line(text, _) => (text, false),
        };
        let (text, via) = (text.to_vec(), via.to_owned());
        Some(Self { text, via, is_wrapped: true, is_part, not_utf8_at: None })
    }
}

//! What each format says of a line.

use std::fmt;

use super::super::format::Json;
use super::super::text::no_timestamp;
use super::super::{Parse, begins_with_brace};
use super::layers::Inner;
use crate::format::{FieldSource, JsonError, Parsed};
use crate::line::Reason;

/// Why a format did not take a line.
#[derive(Debug)]
pub(super) struct Attempt {
    format: &'static str,
    /// Where, in bytes from the start of the text, if it is about a place.
    pub(super) at: Option<usize>,
    said: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.format, self.said)
    }
}

const JSON: &str = "JSON";

impl Attempt {
    fn new(format: &'static str, at: Option<usize>, said: impl fmt::Display) -> Self {
        Self { format, at, said: said.to_string() }
    }
}

impl Parse {
    /// Whether the text is read as JSON.
    fn reads_json(&self, text: &[u8]) -> bool {
        match self.are_json {
            Json::Always => true,
            Json::Sometimes => begins_with_brace(text),
            Json::Never | Json::IsText => false,
        }
    }

    /// The format that took a text.
    pub(super) fn took(&self, inner: &Inner) -> &'static str {
        match &self.parser {
            _ if self.reads_json(&inner.text) => JSON,
            Some(parser) => parser.took(),
            None => "words",
        }
    }

    /// Where the fields of the record that a text gave come from, as far as the
    /// format has names for them.
    pub(super) fn origins(&mut self, inner: &Inner) -> Vec<FieldSource> {
        if !self.reads_json(&inner.text) {
            return self.parser.as_ref().map_or(Vec::new(), |parser| parser.sources(&inner.text));
        }
        // Read anew: the scanner may have gone on to a wrapper's line.
        let _ = self.read_json(inner);
        self.json.sources(&inner.text)
    }

    fn read_json(&mut self, inner: &Inner) -> Result<(), JsonError> {
        let (mut calendar, mut row) = (self.calendar.clone(), Vec::new());
        if inner.is_wrapped {
            return self.json.normalize_unwrapped(&inner.text, None, None, &mut calendar, &mut row);
        }
        self.json.normalize(&inner.text, &mut calendar, &mut row).map(|_| ())
    }

    /// Why the formats did not take a text that was refused for this reason, the
    /// one that came furthest first.
    pub(super) fn attempts(&mut self, inner: &Inner, reason: Reason) -> Vec<Attempt> {
        let text = &inner.text;
        if reason == Reason::TooLong {
            return vec![Attempt::new("container", None, "put together, longer than 1 MiB")];
        }
        if self.reads_json(text) {
            return vec![self.json_attempt(inner)];
        }
        // Wrapped text looks like JSON, so that other formats look into it too.
        if begins_with_brace(text) && (self.are_json == Json::Never || text.starts_with(b"{\"@")) {
            return vec![match reason {
                Reason::NoMatch => Attempt::new(JSON, None, "a record: --format auto takes it"),
                _ => self.json_attempt(inner),
            }];
        }
        let Some(parser) = &mut self.parser else { return Vec::new() };
        let attempts = parser.attempts(text, &mut self.calendar.clone());
        let field = self.time_field.as_deref();
        let of = |(format, result): (&'static str, Result<Parsed, _>)| match result {
            Ok(_) => {
                let mut record = b"{".to_vec();
                let _ = parser.parse(text, &mut self.calendar.clone(), &mut record);
                record.push(b'}');
                Attempt::new(format, None, no_timestamp(field, &record))
            }
            Err(mismatch) => {
                let (at, hint) = parser.hint(text, &mismatch);
                Attempt::new(format, Some(at), format_args!("{mismatch}{hint}"))
            }
        };
        attempts.into_iter().map(of).collect()
    }

    fn json_attempt(&mut self, inner: &Inner) -> Attempt {
        if let Some(at) = inner.not_utf8_at {
            return Attempt::new(JSON, Some(at), format_args!("not UTF-8 at column {}", at + 1));
        }
        match self.read_json(inner) {
            Err(JsonError::Scan(error)) => Attempt::new(JSON, Some(error.at), error),
            Err(error @ JsonError::BadTimestamp { .. }) => {
                let at = self.json.sources(&inner.text).first().map(|time| time.at);
                let column = at.map_or(String::new(), |at| format!(" at column {}", at + 1));
                Attempt::new(JSON, at, format_args!("{error}{column}"))
            }
            Err(error) => Attempt::new(JSON, None, error),
            Ok(()) => Attempt::new(JSON, None, "refused for what is around it"),
        }
    }
}

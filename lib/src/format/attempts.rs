//! What `parse --explain` asks of the formats: which one took a line, where
//! its fields come from, and why the others did not. All of it is cold.

use super::text::may_be;
use super::{Mismatch, Parsed, TextParser};
use crate::line::Reason;
use crate::time::Calendar;

/// A normalised field, and where in the line its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSource {
    /// Its name in the record.
    pub(crate) name: &'static str,
    /// Its name in the line, or in what describes the lines.
    pub(crate) called: String,
    /// Where the value begins, in bytes from the start of the line.
    pub(crate) at: usize,
    /// Whether the line says itself that there is no value.
    pub(crate) is_null: bool,
}

/// What a format made of a line.
pub(crate) type Tried = (&'static str, Result<Parsed, Mismatch>);

impl TextParser {
    /// What people call the format.
    fn name(&self) -> &'static str {
        match self {
            Self::Access(_) => "access log",
            Self::ApacheError(_) => "Apache error log",
            Self::NginxError(_) => "nginx error log",
            Self::Syslog(_) => "syslog",
            Self::Logfmt(_) => "logfmt",
            Self::Csv(_) => "CSV",
            Self::Pattern(_) => "pattern",
            Self::LogFormat(_) => "log format",
            Self::Auto(_) => "text",
        }
    }

    /// The format that took the last line that one did.
    pub(crate) fn took(&self) -> &'static str {
        match self {
            Self::Auto(parser) => parser.last().name(),
            parser => parser.name(),
        }
    }

    /// What each format that a line may be in makes of it; the one that came
    /// furthest, as for the message of a rejected line, is the first.
    pub(crate) fn attempts(&mut self, text: &[u8], calendar: &mut Calendar) -> Vec<Tried> {
        let Self::Auto(auto) = self else {
            return vec![(self.name(), self.parse(text, calendar, &mut Vec::new()))];
        };
        let mut all: Vec<_> =
            auto.parsers().iter_mut().map(|p| p.attempt(text, calendar)).collect();
        let reach =
            |tried: &Tried| tried.1.map_or_else(|error| error.reach(), |_| (true, usize::MAX));
        all.sort_by_key(|tried| std::cmp::Reverse(reach(tried)));
        all
    }

    fn attempt(&mut self, text: &[u8], calendar: &mut Calendar) -> Tried {
        let looks_like = match self {
            Self::Access(_) => "a request in double quotes",
            _ => "a key and an = at its beginning",
        };
        let result = if may_be(self, text) {
            self.parse(text, calendar, &mut Vec::new())
        } else {
            Err(Mismatch::no_match(0, "line", looks_like))
        };
        (self.name(), result)
    }

    /// Where the fields of the line that was read last come from, for formats
    /// whose lines or users name them.
    pub(crate) fn sources(&self, line: &[u8]) -> Vec<FieldSource> {
        match self {
            Self::Logfmt(parser) => parser.sources(line),
            Self::Csv(parser) => parser.sources(line),
            Self::Pattern(parser) => parser.sources(line),
            Self::Auto(parser) => parser.last().sources(line),
            _ => Vec::new(),
        }
    }

    /// Where a mistake shows, and what can be said beyond the mistake itself.
    pub(crate) fn hint(&self, text: &[u8], mismatch: &Mismatch) -> (usize, String) {
        match self {
            Self::Csv(parser) => (mismatch.at, parser.field_at(text, mismatch.at)),
            Self::Pattern(parser) if mismatch.reason == Reason::NoMatch => {
                parser.reach(text).unwrap_or((mismatch.at, String::new()))
            }
            _ => (mismatch.at, String::new()),
        }
    }
}

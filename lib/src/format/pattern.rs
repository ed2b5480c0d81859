//! Lines of any shape, by a regular expression.

use std::sync::OnceLock;

use regex::{CaptureLocations, Regex};

use super::fields::{Fields, Name, Spelling, Value};
use super::{FieldSource, Mismatch, Parsed};
use crate::time::Calendar;

/// Reads lines with a regular expression whose named groups are the fields.
///
/// The expression may match anywhere in the line; `^` and `$` tie it to the
/// ends, and `^` makes it faster. A group that takes no part in the match gives
/// no field. Names, their aliases and types are those of JSON records; all else
/// is text.
#[derive(Debug)]
pub struct PatternParser {
    regex: Regex,
    locations: CaptureLocations,
    /// Names of the groups, one behind the other.
    names: Vec<u8>,
    /// The named groups, by their numbers.
    groups: Vec<(usize, Name)>,
    fields: Fields,
    /// See [`beginnings`]; only where lines are explained.
    beginnings: OnceLock<Vec<Regex>>,
}

/// Why a pattern cannot say what the fields are.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It is no regular expression.
    #[error(transparent)]
    Syntax(#[from] regex::Error),
    /// It names no field.
    #[error("no named group in pattern {0:?}; write a field like (?<level>[A-Z]+)")]
    NoGroup(String),
}

impl PatternParser {
    /// A parser by this expression.
    ///
    /// # Errors
    ///
    /// Fails for what is no regular expression, and for one without named
    /// groups.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let regex = Regex::new(pattern)?;
        let (mut names, mut groups) = (Vec::new(), Vec::new());
        let fields = Fields::default();
        for (index, name) in regex.capture_names().enumerate() {
            let Some(name) = name else { continue };
            let start = names.len();
            names.extend_from_slice(name.as_bytes());
            // No group can have the name of a reserved key, which has an `@`.
            if let Ok(name) = fields.name(&names, start..names.len()) {
                groups.push((index, name));
            }
        }
        if groups.is_empty() {
            return Err(PatternError::NoGroup(pattern.to_owned()));
        }
        let locations = regex.capture_locations();
        Ok(Self { regex, locations, names, groups, fields, beginnings: OnceLock::new() })
    }

    /// Looks for the time in the group of this name alone.
    #[must_use]
    pub fn with_time_field(mut self, field: Option<&str>) -> Self {
        let groups = self.groups.iter_mut().map(|(_, name)| name);
        self.fields.set_time_field(field, &self.names, groups);
        self
    }

    /// Appends the members of the line's record, without braces.
    ///
    /// # Errors
    ///
    /// Returns where the line is no text, or that the expression does not match
    /// it, and leaves `out` as it was.
    pub fn parse(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let line = simdutf8::basic::from_utf8(text);
        let line = line.map_err(|_| Mismatch::no_match(0, "line", "UTF-8"))?;
        if self.regex.captures_read(&mut self.locations, line).is_none() {
            return Err(Mismatch::no_match(0, "line", "a match of the pattern"));
        }
        self.fields.clear();
        for (group, name) in &self.groups {
            if let Some((start, end)) = self.locations.get(*group) {
                let value = Value { range: start..end, spelling: Spelling::Plain };
                self.fields.push(name.clone(), value);
            }
        }
        self.fields.write(&self.names, text, calendar, out)
    }

    /// Where the fields of `line`, which was read last, come from.
    pub(super) fn sources(&self, line: &[u8]) -> Vec<FieldSource> {
        self.fields.sources(&self.names, line)
    }

    /// How far a line that does not match the pattern matches its beginning:
    /// where the longest beginning that is a pattern itself ends, and what
    /// comes behind it in the pattern.
    #[cold]
    pub(super) fn reach(&self, text: &[u8]) -> Option<(usize, String)> {
        let (line, pattern) = (std::str::from_utf8(text).ok()?, self.regex.as_str());
        let beginnings = self.beginnings.get_or_init(|| beginnings(pattern));
        let mut reached =
            beginnings.iter().filter_map(|regex| Some((regex, regex.find(line)?.end())));
        let (beginning, end) = reached.next()?;
        let rest = &pattern[beginning.as_str().len()..];
        Some((end, format!("; `{beginning}` comes to column {}, but not `{rest}`", end + 1)))
    }

    /// Values that could not be cast, over all lines.
    pub fn casts_failed(&self) -> u64 {
        self.fields.casts_failed
    }
}

/// The beginnings of a pattern that are patterns themselves, the longest first.
#[cold]
fn beginnings(pattern: &str) -> Vec<Regex> {
    let ends = pattern.char_indices().map(|(end, _)| end).filter(|end| *end > 0).rev();
    ends.filter_map(|end| Regex::new(&pattern[..end]).ok()).collect()
}

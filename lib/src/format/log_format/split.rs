//! Where the values of a line begin and end.

use std::ops::Range;

use super::variable::{Kind, Variable};
use super::{LogFormatParser, Value};
use crate::format::Mismatch;
use crate::format::access::A_TIME;
use crate::format::access::time::Time;
use crate::format::cursor::{find_quote, trim_end};
use crate::format::spelling;
use crate::time::Calendar;

/// Reads the value of one variable, and the text behind it.
#[derive(Debug)]
pub(super) struct Step {
    ending: Ending,
    /// What stands behind the value.
    behind: Vec<u8>,
    /// What mistakes call the variable, and the text behind it.
    pub(super) token: &'static str,
    expected: &'static str,
}

/// What ends a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The first quote that is not escaped.
    Quote,
    /// The first place of the text behind it.
    Text,
    /// The last place of the text behind it up to which the value is a time.
    Time,
    /// The first place of the text behind it that does not belong to a list.
    List,
    /// The end of the line, or the text there.
    Line,
}

impl Step {
    /// Words for mistakes live as long as the program: a mistake names them
    /// without owning them, and formats come from the command line alone.
    /// `called` is what they call the variable.
    pub(super) fn new(ending: Ending, variable: &Variable, called: &str, behind: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(behind);
        let expected = match (ending, &*shown) {
            (Ending::Line, "") => String::new(),
            (Ending::Line, text) => format!("{text:?} behind it and the end of the line"),
            (_, text) => format!("{text:?} behind it"),
        };
        let token = if variable.is_time() { "time" } else { called.to_owned().leak() };
        Self { ending, behind: behind.to_vec(), token, expected: expected.leak() }
    }

    /// The end of the value that begins at `start`, and whether it has
    /// backslashes or quotes.
    #[inline]
    fn end(&self, text: &[u8], start: usize) -> Result<(usize, bool), Mismatch> {
        let missing = |at| Mismatch::no_match(at, self.token, self.expected);
        let end = match self.ending {
            Ending::Quote => {
                let Some((end, escaped)) = find_quote(text, start) else {
                    return Err(Mismatch::no_match(text.len(), self.token, "a closing quote"));
                };
                if !text[end..].starts_with(&self.behind) {
                    return Err(missing(end + 1));
                }
                return Ok((end, escaped));
            }
            Ending::Text | Ending::Time => {
                // The colons in `[2001:db8::1]:443` are the address's.
                let is_address = self.behind[0] == b':' && text[start..].starts_with(b"[");
                let from = if is_address { find(text, start, b"]") } else { None };
                find(text, from.unwrap_or(start), &self.behind)
            }
            Ending::List => self.list(text, start),
            Ending::Line => {
                // The last value may be empty, and stand behind a blank.
                let text = &text[..trim_end(text).len().max(start)];
                let end = text.len() - self.behind.len().min(text.len());
                (end >= start && text.ends_with(&self.behind)).then_some(end)
            }
        };
        let end = end.ok_or_else(|| missing(text.len()))?;
        Ok((end, memchr::memchr2(b'"', b'\\', &text[start..end]).is_some()))
    }

    /// The end of a list: `a, b : c`. Source: the variables of nginx's
    /// `ngx_http_upstream_module`.
    fn list(&self, text: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            let end = find(text, at, &self.behind)?;
            if text[start..end].ends_with(b",") {
                at = end + 1;
            } else if text[end..].starts_with(b" : ") {
                at = end + 3;
            } else {
                return Some(end);
            }
        }
    }
}

/// The first place of `part`, which is not empty, at or after `at`.
#[inline]
fn find(text: &[u8], mut at: usize, part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    loop {
        at += memchr::memchr(first, text.get(at..)?)?;
        if text[at..].starts_with(part) {
            return Some(at);
        }
        at += 1;
    }
}

impl LogFormatParser {
    /// Finds the values of a line, and reads its time.
    #[inline]
    pub(super) fn split(
        &mut self,
        line: &[u8],
        calendar: &mut Calendar,
    ) -> Result<Option<Time>, Mismatch> {
        const BEGINNING: &str = "the text that the log format begins with";
        self.values.clear();
        let Some(mut at) = line.starts_with(&self.prefix).then_some(self.prefix.len()) else {
            return Err(Mismatch::no_match(0, "line", BEGINNING));
        };
        let mut time = None;
        for index in 0..self.steps.len() {
            let (mut end, mut escaped) = self.steps[index].end(line, at)?;
            if self.time == Some(index) || self.steps[index].ending == Ending::Time {
                let read = self.time(index, line, at..end, calendar);
                let (read_end, read) = read.ok_or_else(|| self.bad_time(index, at, calendar))?;
                if read_end > end {
                    (end, escaped) = (read_end, true);
                }
                if self.time == Some(index) {
                    time = read;
                }
            }
            self.values.push(Value { range: at..end, escaped });
            at = end + self.steps[index].behind.len();
        }
        match trim_end(&line[at.min(line.len())..]) {
            b"" => Ok(time),
            _ => Err(Mismatch::no_match(at, "line", "the end of the line")),
        }
    }

    /// Reads a time, and says where it ends: at this place or, if a blank ends
    /// it, at the last of those behind it up to which it is one. None that is
    /// `-` or empty.
    fn time(
        &mut self,
        index: usize,
        line: &[u8],
        Range { start, mut end }: Range<usize>,
        calendar: &mut Calendar,
    ) -> Option<(usize, Option<Time>)> {
        /// The words of a time, such as `Fri Sep 12 00:00:00 2025 GMT`.
        const WORDS: usize = 6;
        if matches!(&line[start..end], b"" | b"-") {
            return Some((end, None));
        }
        if self.steps[index].ending != Ending::Time {
            return self
                .read_time(index, &line[start..end], calendar)
                .map(|time| (end, Some(time)));
        }
        let mut found = None;
        for _ in 0..WORDS {
            match self.read_time(index, &line[start..end], calendar) {
                Some(time) => found = Some((end, Some(time))),
                None if found.is_some() => break,
                None => {}
            }
            let Some(next) = find(line, end + 1, &self.steps[index].behind) else { break };
            end = next;
        }
        found
    }

    #[inline]
    fn read_time(&mut self, index: usize, text: &[u8], calendar: &mut Calendar) -> Option<Time> {
        match &self.variables[index].kind {
            Kind::Time(Some(format)) if !calendar.has_format() => {
                calendar.read_in(format, text).map(Time::Other)
            }
            _ => self.clock.read(text, calendar),
        }
    }

    #[cold]
    fn bad_time(&self, index: usize, at: usize, calendar: &Calendar) -> Mismatch {
        let expected = match &self.variables[index].kind {
            _ if calendar.has_format() => spelling::GIVEN,
            Kind::Time(Some(_)) => "an existing time as the log format spells it",
            Kind::Time(None) if self.variables[index].own == "time_local" => A_TIME,
            _ => spelling::ANY,
        };
        Mismatch::bad_time(at, expected)
    }
}

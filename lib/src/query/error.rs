//! Query errors, which show the place.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use sqlparser::tokenizer::{Location, Span};

/// Why a query was not accepted, and where that shows.
///
/// Printed, it is the message and below it the place, underlined:
///
/// ```text
/// unknown function `cuont`
///  --> query:1:8
///   |
/// 1 | SELECT cuont(*) AS n FROM logs
///   |        ^^^^^ did you mean `count`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Where the text comes from: `query`, a file's name, or a flag (`--where`).
    pub origin: String,
    /// The whole text.
    pub text: String,
    /// The place: bytes of `text`.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub expected: String,
}

impl std::error::Error for QueryError {}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut annotation = AnnotationKind::Primary.span(self.span.clone());
        if !self.expected.is_empty() {
            annotation = annotation.label(self.expected.as_str());
        }
        let snippet =
            Snippet::source(self.text.as_str()).path(self.origin.as_str()).annotation(annotation);
        let report = [Level::ERROR.no_name().primary_title(self.message.as_str()).element(snippet)];
        f.write_str(&Renderer::plain().render(&report))
    }
}

/// A text that holds a query or a part of one.
#[derive(Debug)]
pub(super) struct Source<'a> {
    origin: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(origin: &'a str, text: &'a str) -> Self {
        Self { origin, text }
    }

    /// An error at these bytes.
    pub(super) fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> QueryError {
        let end = span.end.min(self.text.len());
        let mut start = span.start.min(end);
        // Nothing to underline: the character before, so that the place shows.
        if start == end {
            start = self.text[..start].char_indices().next_back().map_or(0, |(at, _)| at);
        }
        QueryError {
            origin: self.origin.to_owned(),
            text: self.text.to_owned(),
            span: start..end,
            message: message.into(),
            expected: expected.into(),
        }
    }

    /// The byte at a tokenizer's location, which counts lines and characters
    /// from 1.
    pub(super) fn offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(usize::MAX).saturating_sub(1);
        let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
        let start = match line {
            0 => 0,
            line => {
                let mut newlines = memchr::memchr_iter(b'\n', self.text.as_bytes());
                newlines.nth(line - 1).map_or(self.text.len(), |at| at + 1)
            }
        };
        let mut chars = self.text[start..].char_indices();
        chars.nth(column).map_or(self.text.len(), |(at, _)| start + at)
    }

    /// The bytes of a tokenizer's span; `None` if it is empty, as those of
    /// expressions without a place are.
    pub(super) fn bytes(&self, span: Span) -> Option<Range<usize>> {
        if span == Span::empty() {
            return None;
        }
        Some(self.offset(span.start)..self.offset(span.end))
    }
}

/// The one of `names` that `word` may be a slip of.
pub(crate) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_ascii_lowercase();
    // Of a word this short every other one is a slip.
    let limit = (word.chars().count() / 3).min(3);
    names
        .into_iter()
        .map(|name| (distance(&word, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The number of letters inserted, deleted, changed, or swapped with their
/// neighbour, that lead from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let mut best = (rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
                    .min(rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]));
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let names = ["count", "sum", "avg", "coalesce"];
        for (word, expected) in [
            ("cuont", Some("count")),
            ("COUN", Some("count")),
            ("colesce", Some("coalesce")),
            ("smu", Some("sum")),
            ("frobnicate", None),
            ("su", None),
        ] {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }

    #[test]
    fn offsets_count_characters_in_and_bytes_out() {
        let source = Source::new("query", "aé\nbücd");
        for (line, column, offset) in
            [(1, 1, 0), (1, 3, 3), (2, 1, 4), (2, 3, 7), (2, 9, 9), (9, 1, 9)]
        {
            assert_eq!(source.offset(Location { line, column }), offset, "{line}:{column}");
        }
    }
}

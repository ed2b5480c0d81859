//! A file in TOML, and values of a table in it that must be of certain kinds.
//! Whatever is wrong is shown in its place.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::detect::condition::Condition;
use crate::query::QueryError;

/// A value, and its place in the file.
pub(super) type Place<'t> = Spanned<DeValue<'t>>;

#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) text: &'a str,
    pub(super) origin: &'a str,
    /// The field that is a time in conditions.
    pub(super) time_field: &'a str,
}

impl<'a> File<'a> {
    pub(super) fn error(
        self,
        span: Range<usize>,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> QueryError {
        let span = self.shown(span);
        QueryError {
            origin: self.origin.to_owned(),
            text: self.text.to_owned(),
            span,
            message: message.into(),
            expected: expected.into(),
        }
    }

    /// What to underline of a place: no more than one line, no less than a
    /// character, if there is one.
    fn shown(self, span: Range<usize>) -> Range<usize> {
        let start = span.start.min(self.text.len());
        let line = self.text[start..].split('\n').next().unwrap_or_default();
        let end = (start + line.len()).min(span.end.max(start));
        if start < end {
            return start..end;
        }
        match (line.chars().next(), self.text[..start].char_indices().next_back()) {
            (Some(next), _) => start..start + next.len_utf8(),
            (None, Some((before, _))) => before..start,
            (None, None) => 0..0,
        }
    }

    pub(super) fn table<'t>(self, value: &'t Place<'t>) -> Result<Table<'a, 't>, QueryError> {
        match value.get_ref().as_table() {
            Some(entries) => Ok(Table { file: self, entries, span: value.span() }),
            None => Err(self.error(value.span(), "this is no rule", "write [[rule]]")),
        }
    }

    /// Compiles a condition; a mistake is shown in its place in the file, if the
    /// file has it as it is.
    pub(super) fn condition(self, value: &Place<'_>, text: &str) -> Result<Condition, QueryError> {
        Condition::parse(text, self.origin, self.time_field).map_err(|error| {
            let span = value.span();
            let Some(at) = self.text[span.clone()].find(text) else { return error };
            let from = span.start + at;
            let span = from + error.span.start..from + error.span.end;
            self.error(span, error.message, error.expected)
        })
    }
}

/// A rule as it stands in the file.
pub(super) struct Table<'a, 't> {
    pub(super) file: File<'a>,
    pub(super) entries: &'t DeTable<'t>,
    span: Range<usize>,
}

impl<'t> Table<'_, 't> {
    pub(super) fn missing(&self, message: &str) -> QueryError {
        self.file.error(self.span.clone(), message, "")
    }

    pub(super) fn required(&self, key: &str) -> Result<(&'t Place<'t>, &'t str), QueryError> {
        self.text(key)?.ok_or_else(|| self.missing(&format!("this rule needs `{key}`")))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<(&'t Place<'t>, &'t str)>, QueryError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        match value.get_ref().as_str() {
            Some(text) => Ok(Some((value, text))),
            None => Err(self.wrong(value, key, "text in quotes")),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, QueryError> {
        let Some(value) = self.entries.get(key) else { return Ok(Vec::new()) };
        let one = |value: &Place<'_>| {
            let text = value.get_ref().as_str().map(str::to_owned);
            text.ok_or_else(|| self.wrong(value, key, "a list such as [\"service\"]"))
        };
        match value.get_ref().as_array() {
            Some(values) => values.iter().map(one).collect(),
            None => Ok(vec![one(value)?]),
        }
    }

    pub(super) fn parsed<T>(&self, key: &str) -> Result<Option<T>, QueryError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let Some((value, text)) = self.text(key)? else { return Ok(None) };
        let parsed = text.parse().map(Some);
        parsed.map_err(|error: T::Err| self.file.error(value.span(), error.to_string(), ""))
    }

    pub(super) fn number(
        &self,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<f64>, QueryError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            other => integer(other).map(|number| number as f64),
        };
        let wanted =
            if *range.end() <= 1.0 { "a number from 0 to 1" } else { "a number from 0 up" };
        let number = number.filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| self.wrong(value, key, wanted))
    }

    pub(super) fn integer(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, QueryError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let number = integer(value.get_ref()).filter(|number| range.contains(number));
        let wanted = format!("a whole number from {} up", range.start());
        number.map(Some).ok_or_else(|| self.wrong(value, key, &wanted))
    }

    fn wrong(&self, value: &Place<'_>, key: &str, wanted: &str) -> QueryError {
        self.file.error(value.span(), format!("`{key}` is {wanted}"), "")
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The text of a value that a field may have.
pub(super) fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        other => integer(other).map(|number| number.to_string()),
    }
}

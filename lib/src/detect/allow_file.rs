//! Allow-lists in files.
//!
//! ```text
//! # our own
//! ip_address=192.0.2.0/24          # the office
//! user_id=probe,batch
//! ```
//!
//! A comment begins with `#` at the beginning of a line or behind a blank, so
//! `a#b` is a value. A file of one field has the values alone.

use super::allow::{Allow, AllowError, Allowed};

/// Where in a file an allow-list is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{line}: {cause}")]
pub struct AllowFileError {
    /// The file.
    pub origin: String,
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong. Part of the message, which has to be one line.
    pub cause: AllowError,
}

impl Allow {
    /// Reads a file, which `origin` names in errors, with `FIELD=VALUE,…` on
    /// each line.
    ///
    /// # Errors
    ///
    /// Says what is wrong with which line.
    pub fn read(text: &str, origin: &str) -> Result<Vec<Self>, AllowFileError> {
        lines(text).map(|(line, text)| Self::parse(text).map_err(at(origin, line))).collect()
    }

    /// Reads a file, which `origin` names in errors, with values of `field`
    /// alone, `VALUE,…` on each line.
    ///
    /// # Errors
    ///
    /// Says what is wrong with which line.
    pub fn read_values(field: &str, text: &str, origin: &str) -> Result<Self, AllowFileError> {
        let mut values = Vec::new();
        for (line, text) in lines(text) {
            let is_named = |(name, _): (&str, &str)| name.trim() == field;
            if text.split_once('=').is_some_and(is_named) {
                return Err(at(origin, line)(AllowError::Named(text.to_owned())));
            }
            for value in text.split(',').map(str::trim) {
                values.push(Allowed::parse(value).map_err(at(origin, line))?);
            }
        }
        Ok(Self { field: field.to_owned(), values })
    }
}

/// The lines that say something, with their numbers and without comments.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines().map(|line| without_comment(line).trim()));
    lines.filter(|(_, line)| !line.is_empty())
}

fn without_comment(line: &str) -> &str {
    let begins =
        |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}

fn at(origin: &str, line: usize) -> impl Fn(AllowError) -> AllowFileError {
    move |cause| AllowFileError { origin: origin.to_owned(), line, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_begin_at_a_line_or_behind_a_blank() {
        for (line, without) in [
            ("ip=192.0.2.7 # office", "ip=192.0.2.7 "),
            ("ip=192.0.2.7\t#office", "ip=192.0.2.7\t"),
            ("url=/a#b", "url=/a#b"),
            ("url=/a#b # c # d", "url=/a#b "),
            ("# all of it", ""),
            ("  # all of it", "  "),
            ("", ""),
        ] {
            assert_eq!(without_comment(line), without, "{line}");
        }
    }

    #[test]
    fn slips_are_told_with_their_line() {
        let read = |text| Allow::read(text, "office").unwrap_err().to_string();
        assert!(
            read("ip=192.0.2.1\n\nnonsense # x\n").starts_with("office:3: \"nonsense\": write")
        );
        let read = |text| Allow::read_values("ip", text, "office").unwrap_err().to_string();
        assert!(
            read("# x\nip=192.0.2.1").starts_with("office:2: \"ip=192.0.2.1\": this is a list")
        );
        assert!(read("192.0.2.1,").starts_with("office:1: a value is missing"));
    }
}

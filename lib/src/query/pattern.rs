//! LIKE and RLIKE: patterns compiled once.

use std::borrow::Cow;

use bumpalo::Bump;
use memchr::memmem;
use regex::bytes::{Regex, RegexBuilder};

/// A compiled pattern.
///
/// Two patterns are equal if they are spelled alike.
#[derive(Clone, Debug)]
pub struct Pattern {
    kind: PatternKind,
    text: String,
    escape: char,
    matcher: Matcher,
}

/// How a pattern's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternKind {
    /// `%` is any text, `_` any character; the whole value must match.
    Like,
    /// As `Like`, and letters match in either case.
    ILike,
    /// A regular expression, found anywhere in the value.
    RLike,
}

#[derive(Clone, Debug)]
enum Matcher {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Contains(Box<memmem::Finder<'static>>),
    Regex(Regex),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.text, self.escape) == (other.kind, &other.text, other.escape)
    }
}

impl Pattern {
    /// Compiles a pattern; in a LIKE the character `escape` takes the meaning
    /// from the one behind it.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it.
    pub fn new(kind: PatternKind, text: &str, escape: char) -> Result<Self, String> {
        let matcher = match kind {
            PatternKind::Like => like(&split_like(text, escape)?)?,
            PatternKind::ILike => Matcher::Regex(like_regex(&split_like(text, escape)?, true)?),
            PatternKind::RLike => Matcher::Regex(regex(text, false)?),
        };
        // A regular expression has no such character.
        let escape = if kind == PatternKind::RLike { '\\' } else { escape };
        Ok(Self { kind, text: text.to_owned(), escape, matcher })
    }

    /// Whether the text (UTF-8) matches.
    #[inline]
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.matcher {
            Matcher::Exact(whole) => text == &whole[..],
            Matcher::Prefix(start) => text.starts_with(start),
            Matcher::Suffix(end) => text.ends_with(end),
            Matcher::Contains(part) => part.find(text).is_some(),
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }

    /// The part of the first match that a group caught, the whole match for
    /// group 0; empty if nothing matches, or the group has no part in it.
    pub fn group<'t>(&self, text: &'t [u8], group: usize) -> &'t [u8] {
        let Matcher::Regex(regex) = &self.matcher else { return b"" };
        let found = match group {
            0 => regex.find(text),
            group => regex.captures(text).and_then(|captures| captures.get(group)),
        };
        found.map_or(b"", |found| found.as_bytes())
    }

    /// The text with all matches replaced; in `with`, `${1}` is the first
    /// group's part and `$$` a dollar sign.
    pub fn replace<'t>(&self, text: &'t [u8], with: &str, arena: &'t Bump) -> &'t [u8] {
        let Matcher::Regex(regex) = &self.matcher else { return text };
        match regex.replace_all(text, with.as_bytes()) {
            Cow::Borrowed(same) => same,
            Cow::Owned(changed) => arena.alloc_slice_copy(&changed),
        }
    }

    /// The number of groups, without the whole.
    pub fn groups(&self) -> usize {
        match &self.matcher {
            Matcher::Regex(regex) => regex.captures_len() - 1,
            _ => 0,
        }
    }

    /// How the text is read.
    pub fn kind(&self) -> PatternKind {
        self.kind
    }

    /// The character that takes the meaning from the one behind it.
    pub fn escape(&self) -> char {
        self.escape
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A piece of a LIKE pattern.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    AnyText,
    AnyChar,
}

fn split_like(text: &str, escape: char) -> Result<Vec<Piece>, String> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let plain = match char {
            _ if char == escape => chars
                .next()
                .ok_or(format!("the pattern ends with its escape character {escape}"))?,
            '%' => {
                if pieces.last() != Some(&Piece::AnyText) {
                    pieces.push(Piece::AnyText);
                }
                continue;
            }
            '_' => {
                pieces.push(Piece::AnyChar);
                continue;
            }
            plain => plain,
        };
        match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(plain),
            _ => pieces.push(Piece::Text(plain.into())),
        }
    }
    Ok(pieces)
}

/// The cheapest matcher: most patterns are a start, an end or a part.
fn like(pieces: &[Piece]) -> Result<Matcher, String> {
    Ok(match pieces {
        [] => Matcher::Exact(Vec::new()),
        [Piece::Text(text)] => Matcher::Exact(text.clone().into()),
        [Piece::Text(text), Piece::AnyText] => Matcher::Prefix(text.clone().into()),
        [Piece::AnyText, Piece::Text(text)] => Matcher::Suffix(text.clone().into()),
        [Piece::AnyText, Piece::Text(text), Piece::AnyText] => {
            Matcher::Contains(Box::new(memmem::Finder::new(text).into_owned()))
        }
        pieces => Matcher::Regex(like_regex(pieces, false)?),
    })
}

fn like_regex(pieces: &[Piece], ignore_case: bool) -> Result<Regex, String> {
    let mut text = String::from("(?s)^");
    for piece in pieces {
        match piece {
            Piece::Text(plain) => text.push_str(&regex::escape(plain)),
            Piece::AnyText => text.push_str(".*"),
            Piece::AnyChar => text.push('.'),
        }
    }
    text.push('$');
    regex(&text, ignore_case)
}

fn regex(text: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(text).case_insensitive(ignore_case).build().map_err(|error| {
        let text = error.to_string();
        // The library's own message shows the pattern again, over several lines.
        let last = text.lines().last().unwrap_or_default();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(kind: PatternKind, pattern: &str, text: &str) -> bool {
        Pattern::new(kind, pattern, '\\').unwrap().matches(text.as_bytes())
    }

    #[test]
    fn like_patterns() {
        for (pattern, yes, no) in [
            ("", &[""][..], &["a"][..]),
            ("abc", &["abc"], &["ab", "abcd", "ABC"]),
            ("/api%", &["/api", "/api/x\ny"], &["/ap", "x/api"]),
            ("%.png", &[".png", "a.png"], &["apng", "a.png?"]),
            ("%bot%", &["bot", "Googlebot/2"], &["bo t"]),
            ("%", &["", "a\nb"], &[]),
            ("a_c", &["abc", "aéc", "a\nc"], &["ac", "abbc"]),
            ("_%_", &["ab", "éé"], &["é"]),
            ("a%b%c", &["abc", "axxbyyc"], &["acb"]),
            ("100\\%", &["100%"], &["100", "100x"]),
            ("a\\_c_", &["a_cd"], &["abcd"]),
            ("%.*%", &["a.*b"], &["ab"]),
        ] {
            for text in yes {
                assert!(matches(PatternKind::Like, pattern, text), "{pattern:?} {text:?}");
            }
            for text in no {
                assert!(!matches(PatternKind::Like, pattern, text), "{pattern:?} {text:?}");
            }
        }
        assert!(matches(PatternKind::ILike, "%BÖT%", "xbötx"));
        assert!(!matches(PatternKind::ILike, "BÖT", "xböt"));
    }

    #[test]
    fn regexes_are_found_anywhere() {
        assert!(matches(PatternKind::RLike, "[0-9]{3}", "status 200 ok"));
        assert!(matches(PatternKind::RLike, "(?i)^get", "GET /"));
        assert!(!matches(PatternKind::RLike, "^[0-9]+$", "12a"));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |kind, text| Pattern::new(kind, text, '\\').unwrap_err();
        assert_eq!(error(PatternKind::RLike, "a("), "unclosed group");
        assert_eq!(
            error(PatternKind::Like, "a\\"),
            "the pattern ends with its escape character \\"
        );
    }
}

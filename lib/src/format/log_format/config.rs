//! The line of a server's configuration, without what stands around the format.

use std::ops::Range;

use super::Dialect;
use super::variable::Variable;
use crate::query::QueryError;

/// A log format without the quotes, names and escapes of the configuration.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) bytes: Vec<u8>,
    /// Whether values are written as they are (`escape=none`).
    pub(super) raw: bool,
    /// For each byte, where it came from.
    places: Vec<usize>,
    text: String,
    origin: String,
}

impl Config {
    /// Takes the format out of what surrounds it:
    ///
    /// ```text
    /// log_format main escape=json '$remote_addr '
    ///                             '"$request"'; # a comment
    /// LogFormat "%h %l %u \
    ///     %t \"%r\"" common
    /// ```
    ///
    /// Whatever is not of this kind is the format itself.
    ///
    /// # Errors
    ///
    /// Fails for text that begins with `log_format` or `LogFormat` and goes on
    /// otherwise, for directives that name a log file, and for JSON.
    pub(super) fn read(text: &str, origin: &str) -> Result<Self, QueryError> {
        let mut config = Self {
            bytes: Vec::new(),
            raw: false,
            places: Vec::new(),
            text: text.to_owned(),
            origin: origin.to_owned(),
        };
        let bare = without_comments(text);
        let text = bare.as_deref().unwrap_or(text);
        let (head, has_keyword) = head(text);
        let first = text[head.clone()].split_ascii_whitespace().next().unwrap_or_default();
        if NAMES_A_FILE.iter().any(|name| first.eq_ignore_ascii_case(name)) {
            let span = head.start..head.start + first.len();
            let message = "this directive says where the log goes";
            let expected = "expected its format alone, or the line that defines the format";
            return Err(config.at(span, message, expected));
        }
        match pieces(text, head.end) {
            Ok(pieces) if is_wrapped(text, &head, has_keyword, &pieces) => {
                config.raw = text[head.clone()].contains("escape=none");
                pieces.quoted.into_iter().for_each(|piece| config.push(piece));
            }
            Err(at) if has_keyword => {
                let message = "the line of the configuration does not end as one";
                return Err(config.at(at..text.len(), message, "expected a quoted format"));
            }
            _ if has_keyword => {
                let message = "a log format without quotes";
                return Err(config.at(head.end..text.len(), message, "expected it in quotes"));
            }
            _ => {
                let text = &config.text;
                config.push(text.len() - text.trim_start().len()..text.trim_end().len());
            }
        }
        config.check()?;
        Ok(config)
    }

    /// Adds a piece of the text, with its escapes undone: a backslash stands
    /// before a quote, a backslash or a `t`, or continues a line, and nowhere
    /// else.
    fn push(&mut self, piece: Range<usize>) {
        let bytes = self.text.as_bytes();
        let mut at = piece.start;
        while at < piece.end {
            let next = bytes.get(at + 1).copied().filter(|_| at + 1 < piece.end);
            if (bytes[at], next) == (b'\\', Some(b'\n')) {
                at += 2;
                continue;
            }
            let (byte, length) = match (bytes[at], next) {
                (b'\\', Some(quoted @ (b'"' | b'\'' | b'\\'))) => (quoted, 2),
                (b'\\', Some(b't')) => (b'\t', 2),
                (b'\\', Some(b'n')) => (b'\n', 2),
                (byte, _) => (byte, 1),
            };
            self.bytes.push(byte);
            self.places.push(at);
            at += length;
        }
    }

    fn check(&self) -> Result<(), QueryError> {
        let format = self.bytes.trim_ascii();
        if format.starts_with(b"{") {
            let at = self.bytes.len() - self.bytes.trim_ascii_start().len();
            let expected = "lines that are JSON need no log format: use --format json";
            return Err(self.error(at..at + 1, "this log format writes JSON objects", expected));
        }
        match memchr::memchr(b'\n', self.bytes.trim_ascii_end()) {
            Some(at) => Err(self.error(at..at + 1, "a line break", "a record is a line")),
            None => Ok(()),
        }
    }

    /// Whose language it is, by the first variable of either.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        let begins_name = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'{');
        let is_nginx = self.bytes.windows(2).any(|pair| pair[0] == b'$' && begins_name(&pair[1]));
        if is_nginx {
            Some(Dialect::Nginx)
        } else {
            self.bytes.contains(&b'%').then_some(Dialect::Apache)
        }
    }

    /// What messages call a variable: Apache's by its directive, since its name
    /// is ours.
    pub(super) fn written(&self, variable: &Variable) -> String {
        let span = &variable.span;
        match self.bytes.get(span.clone()) {
            Some(written @ [b'%', ..]) => String::from_utf8_lossy(written).into_owned(),
            _ => variable.own.clone(),
        }
    }

    /// An error at a place of the format.
    pub(super) fn error(&self, span: Range<usize>, message: &str, expected: &str) -> QueryError {
        let place = |at: usize| self.places.get(at).copied().unwrap_or(self.text.len());
        // Behind the last byte, and not where the next piece begins.
        let end = span.end.checked_sub(1).map_or(0, |last| place(last) + 1);
        self.at(place(span.start)..end.max(place(span.start)), message, expected)
    }

    /// An error at a place of the text.
    fn at(&self, span: Range<usize>, message: &str, expected: &str) -> QueryError {
        let mut span = span.start.min(self.text.len())..span.end.min(self.text.len());
        while !self.text.is_char_boundary(span.end) {
            span.end += 1;
        }
        while !self.text.is_char_boundary(span.start) {
            span.start -= 1;
        }
        QueryError {
            origin: self.origin.clone(),
            text: self.text.clone(),
            span,
            message: message.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

/// Directives that have the path of a log in front of its format or the name of
/// that.
const NAMES_A_FILE: [&str; 4] = ["CustomLog", "GlobalLog", "TransferLog", "access_log"];

/// The text with blanks in place of comments and of continuations outside of
/// quotes, of the same length; `None` if it is one line without a directive's
/// name, in which a `#` belongs to the format.
fn without_comments(text: &str) -> Option<String> {
    if !text.trim().contains('\n') && !head(text).1 {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    let (mut at, mut quote) = (0, None);
    while at < bytes.len() {
        match (bytes[at], quote) {
            (b'\\', None) if bytes.get(at + 1) == Some(&b'\n') => {
                bytes[at] = b' ';
            }
            (b'\\', _) => at += 1,
            (b'#', None)
                if at == 0 || bytes[at - 1].is_ascii_whitespace() || bytes[at - 1] == b';' =>
            {
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                bytes[at..end].fill(b' ');
            }
            (byte @ (b'"' | b'\''), None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            _ => {}
        }
        at += 1;
    }
    String::from_utf8(bytes).ok()
}

/// The words before the first quote, if they can be those of a configuration,
/// and whether the first is the name of a directive.
fn head(text: &str) -> (Range<usize>, bool) {
    let start = text.len() - text.trim_start().len();
    let end = text.find(['"', '\'']).unwrap_or(text.len());
    let words = text.get(start..end).unwrap_or_default();
    let first = words.split_ascii_whitespace().next().unwrap_or_default();
    let has_keyword = first == "log_format" || first.eq_ignore_ascii_case("LogFormat");
    (start.min(end)..end, has_keyword)
}

/// What stands behind the head.
struct Pieces {
    /// What is in the quotes.
    quoted: Vec<Range<usize>>,
    /// Whether a semicolon ends them.
    closed: bool,
    /// Whether all of them stand in double quotes.
    double: bool,
}

/// Reads quoted pieces with blanks between them, and a semicolon or a nickname
/// at their end.
///
/// # Errors
///
/// Returns where there is something else.
fn pieces(text: &str, start: usize) -> Result<Pieces, usize> {
    let bytes = text.as_bytes();
    let mut pieces = Pieces { quoted: Vec::new(), closed: false, double: true };
    let mut at = start;
    while let Some(quote @ (b'"' | b'\'')) = bytes.get(at).copied() {
        let end = closing(bytes, at + 1, quote).ok_or(at)?;
        pieces.quoted.push(at + 1..end);
        pieces.double &= quote == b'"';
        at = end + 1;
        let rest = &text[at..];
        at = text.len() - rest.trim_start().len();
        if matches!(bytes.get(at), Some(b'"' | b'\'')) && rest.len() == text.len() - at {
            return Err(at);
        }
    }
    let rest = text[at..].trim_end();
    pieces.closed = rest.starts_with(';');
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if rest == ";" || rest.bytes().all(is_name) { Ok(pieces) } else { Err(at) }
}

fn closing(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if *byte == quote => return Some(at),
            _ => at += 1,
        }
    }
}

/// Whether this is a line of a configuration, and not a format that begins with
/// a quote of its own.
fn is_wrapped(text: &str, head: &Range<usize>, has_keyword: bool, pieces: &Pieces) -> bool {
    let is_word = |word: &str| {
        word.starts_with("escape=")
            || word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    let words = text[head.clone()].split_ascii_whitespace();
    let (count, all) = words.fold((0, true), |(n, all), word| (n + 1, all && is_word(word)));
    let limit = if has_keyword { 3 } else { 2 };
    let is_surrounded = match pieces.quoted.len() {
        0 => false,
        // `"%r"` alone could be either; the format itself has blanks.
        1 => !pieces.double || pieces.closed || text[pieces.quoted[0].clone()].contains(' '),
        _ => !pieces.double || pieces.closed,
    };
    all && count <= limit && !pieces.quoted.is_empty() && (has_keyword || is_surrounded)
}

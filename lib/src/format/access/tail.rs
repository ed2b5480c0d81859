//! What servers are told to append to the combined format.

use crate::format::Mismatch;
use crate::format::cursor::{Cursor, Text, find_quote};

/// The fields behind the user agent; `None` where the line has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail<'a> {
    pub(super) x_forwarded_for: Option<Text<'a>>,
    /// A decimal number of seconds, as JSON spells it.
    pub(super) response_time: Option<&'a [u8]>,
    pub(super) request_id: Option<Text<'a>>,
    pub(super) request_length: Option<&'a [u8]>,
    pub(super) upstream_addr: Option<Text<'a>>,
    pub(super) upstream_status: Option<Text<'a>>,
    pub(super) upstream_response_length: Option<Text<'a>>,
    pub(super) upstream_connect_time: Option<Text<'a>>,
    pub(super) upstream_header_time: Option<Text<'a>>,
    pub(super) upstream_response_time: Option<Text<'a>>,
    pub(super) proxy_upstream_name: Option<Text<'a>>,
    pub(super) proxy_alternative_upstream_name: Option<Text<'a>>,
    /// From the first word on that is none of these.
    pub(super) extra: Option<&'a [u8]>,
}

impl<'a> Tail<'a> {
    /// Reads the tail, of which `cursor` is at the first word. In this order,
    /// each of them optional:
    ///
    /// 1. a quoted text: `x_forwarded_for`, as in the `main` format that nginx
    ///    is packaged with
    /// 2. a decimal fraction, bare or quoted: `response_time`; and behind it
    ///    one or several, or `-`: `upstream_response_time`
    /// 3. `rt=`, `uct=`, `uht=` and `urt=`, as nginx's manual names request
    ///    time and upstream connect, header and response time
    /// 4. alone, the nine words of ingress-nginx's `upstreaminfo`
    ///
    /// # Errors
    ///
    /// Fails only for a quote that is not closed: such a line was cut.
    #[inline(never)]
    pub(super) fn read(mut cursor: Cursor<'a>) -> Result<Self, Mismatch> {
        let mut tail = Self::default();
        if cursor.take(b"\"") {
            let text = cursor.quoted("x_forwarded_for")?;
            end_of_word(cursor, "x_forwarded_for")?;
            if is_seconds(text.raw) {
                tail.response_time = Some(text.raw);
            } else {
                tail.x_forwarded_for = Some(text);
            }
            cursor.blanks();
        } else if let Some(tail) = ingress(cursor) {
            return Ok(tail);
        }
        if tail.response_time.is_none() {
            tail.response_time = seconds(&mut cursor);
            cursor.blanks();
        }
        if tail.response_time.is_some() {
            tail.upstream_response_time = upstream_times(&mut cursor);
            cursor.blanks();
        }
        while tail.named_time(&mut cursor) {
            cursor.blanks();
        }
        if cursor.at < cursor.text.len() {
            quotes_are_closed(cursor)?;
            tail.extra = Some(cursor.rest());
        }
        Ok(tail)
    }

    /// Reads `rt=0.005` or another of nginx's names; if it is none, the cursor
    /// stays where it is.
    fn named_time(&mut self, cursor: &mut Cursor<'a>) -> bool {
        let mut ahead = *cursor;
        if ahead.take(b"rt=") && self.response_time.is_none() {
            self.response_time = seconds(&mut ahead);
            if self.response_time.is_some() {
                *cursor = ahead;
            }
            return self.response_time.is_some();
        }
        let slot = if ahead.take(b"uct=") {
            &mut self.upstream_connect_time
        } else if ahead.take(b"uht=") {
            &mut self.upstream_header_time
        } else if ahead.take(b"urt=") {
            &mut self.upstream_response_time
        } else {
            return false;
        };
        if slot.is_some() {
            return false;
        }
        *slot = upstream_times(&mut ahead);
        if slot.is_some() {
            *cursor = ahead;
        }
        slot.is_some()
    }
}

/// Reads a time in seconds as nginx prints it, `0.005`, bare or quoted; else
/// the cursor stays where it is.
///
/// Three to six decimals: `$gzip_ratio` has two, and numbers without any could
/// be bytes, microseconds or a count. Epoch times (`$msec`) are too long.
fn seconds<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let mut ahead = *cursor;
    let value = value(&mut ahead)?;
    is_seconds(value).then(|| *cursor = ahead)?;
    Some(value)
}

/// Reads the times of one or several upstreams, `0.005`, `0.001, 0.004` or `-`,
/// bare or quoted; else the cursor stays where it is.
fn upstream_times<'a>(cursor: &mut Cursor<'a>) -> Option<Text<'a>> {
    let mut ahead = *cursor;
    let value =
        if cursor.rest().starts_with(b"\"") { value(&mut ahead)? } else { list(&mut ahead)? };
    let mut times = value.split(|byte| matches!(byte, b',' | b':')).map(<[u8]>::trim_ascii);
    times.all(|time| time == b"-" || is_seconds(time)).then(|| *cursor = ahead)?;
    Some(Text::any(value))
}

fn is_seconds(word: &[u8]) -> bool {
    let Some(point) = memchr::memchr(b'.', word) else { return false };
    let (whole, decimals) = (&word[..point], &word[point + 1..]);
    (1..=6).contains(&whole.len())
        && (3..=6).contains(&decimals.len())
        && (whole.len() == 1 || whole[0] != b'0')
        && whole.iter().chain(decimals).all(u8::is_ascii_digit)
}

/// Reads a word, or what is in quotes, that ends at a blank or with the line.
fn value<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let value = if cursor.take(b"\"") { cursor.quoted("").ok()?.raw } else { cursor.word() };
    end_of_word(*cursor, "").ok()?;
    Some(value)
}

/// Reads what nginx prints for a request that went to several upstreams: words
/// joined by `, `, and by ` : ` after an internal redirect.
fn list<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let start = cursor.at;
    loop {
        let word = cursor.word();
        if word.is_empty() {
            return None;
        }
        if word.ends_with(b",") {
            cursor.at = (cursor.at + 1).min(cursor.text.len());
        } else if !cursor.take(b" : ") {
            return Some(&cursor.text[start..cursor.at]);
        }
    }
}

/// `request_length request_time [name] [alternative name] addr length time
/// status id`, and nothing behind it.
///
/// Source: the default of `log-format-upstream` in ingress-nginx.
fn ingress(mut cursor: Cursor<'_>) -> Option<Tail<'_>> {
    let request_length = word(&mut cursor).filter(|word| is_count(word))?;
    let response_time = word(&mut cursor).filter(|word| is_seconds(word))?;
    let name = bracketed(&mut cursor)?;
    let alternative_name = bracketed(&mut cursor)?;
    let mut upstream = || {
        let list = list(&mut cursor)?;
        cursor.take(b" ").then_some(Text::any(list))
    };
    let (addr, length, time, status) = (upstream()?, upstream()?, upstream()?, upstream()?);
    let id = cursor.word();
    let is_id = !id.is_empty() && id.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    (is_id && cursor.at == cursor.text.len()).then_some(Tail {
        request_length: Some(request_length),
        response_time: Some(response_time),
        proxy_upstream_name: Some(name),
        proxy_alternative_upstream_name: Some(alternative_name),
        upstream_addr: Some(addr),
        upstream_response_length: Some(length),
        upstream_response_time: Some(time),
        upstream_status: Some(status),
        request_id: Some(Text::plain(id)),
        ..Tail::default()
    })
}

/// Reads a word and the blank behind it.
fn word<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let word = cursor.word();
    cursor.take(b" ").then_some(word)
}

/// Reads `[name] `; nothing between the brackets is nothing, as `-` is.
fn bracketed<'a>(cursor: &mut Cursor<'a>) -> Option<Text<'a>> {
    let name = word(cursor)?.strip_prefix(b"[")?.strip_suffix(b"]")?;
    Some(Text::any(if name.is_empty() { b"-" } else { name }))
}

fn is_count(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

/// Checks that the word just read is all of the word.
///
/// # Errors
///
/// Fails if neither a blank nor the end of the line comes next. Behind a quote
/// that means that the quote was no closing one.
pub(super) fn end_of_word(cursor: Cursor<'_>, token: &'static str) -> Result<(), Mismatch> {
    match cursor.text.get(cursor.at) {
        None | Some(b' ') => Ok(()),
        Some(_) => {
            Err(Mismatch::no_match(cursor.at, token, "a blank or the end behind the closing quote"))
        }
    }
}

fn quotes_are_closed(mut cursor: Cursor<'_>) -> Result<(), Mismatch> {
    while let Some((open, _)) = find_quote(cursor.text, cursor.at) {
        cursor.at = open + 1;
        cursor.quoted("text behind the user agent")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a tail as `name=value` in their order in the type.
    fn read(tail: &str) -> Result<String, Mismatch> {
        let tail = Tail::read(Cursor::new(tail.as_bytes()))?;
        let fields = [
            ("xff", tail.x_forwarded_for.map(|text| text.raw)),
            ("rt", tail.response_time),
            ("id", tail.request_id.map(|text| text.raw)),
            ("len", tail.request_length),
            ("ua", tail.upstream_addr.map(|text| text.raw)),
            ("us", tail.upstream_status.map(|text| text.raw)),
            ("ul", tail.upstream_response_length.map(|text| text.raw)),
            ("uct", tail.upstream_connect_time.map(|text| text.raw)),
            ("uht", tail.upstream_header_time.map(|text| text.raw)),
            ("urt", tail.upstream_response_time.map(|text| text.raw)),
            ("pn", tail.proxy_upstream_name.map(|text| text.raw)),
            ("an", tail.proxy_alternative_upstream_name.map(|text| text.raw)),
            ("extra", tail.extra),
        ];
        let print = |(name, value): (&str, Option<&[u8]>)| {
            Some(format!("{name}={}", String::from_utf8_lossy(value?)))
        };
        Ok(fields.into_iter().filter_map(print).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn known_tails() {
        for (tail, fields) in [
            (r#""-""#, "xff=-"),
            (r#""198.51.100.7, 192.0.2.9""#, "xff=198.51.100.7, 192.0.2.9"),
            ("0.005", "rt=0.005"),
            ("0.005 0.004", "rt=0.005; urt=0.004"),
            ("0.005 -", "rt=0.005; urt=-"),
            ("0.005 0.001, 0.004", "rt=0.005; urt=0.001, 0.004"),
            ("0.005 0.001, - : 0.004", "rt=0.005; urt=0.001, - : 0.004"),
            (r#""0.005" "0.004""#, "rt=0.005; urt=0.004"),
            (r#""-" 0.005 0.004"#, "xff=-; rt=0.005; urt=0.004"),
            (r#""-" "0.005" "-""#, "xff=-; rt=0.005; urt=-"),
            (
                r#"rt=0.005 uct="0.000" uht="0.004" urt="0.004, 0.001""#,
                "rt=0.005; uct=0.000; uht=0.004; urt=0.004, 0.001",
            ),
            (r#""-" rt=0.005 urt=-"#, "xff=-; rt=0.005; urt=-"),
            (
                "464 0.001 [web-80] [] 192.0.2.7:80 13 0.000 200 0123456789abcdef",
                "rt=0.001; id=0123456789abcdef; len=464; ua=192.0.2.7:80; us=200; ul=13; urt=0.000; pn=web-80; an=-",
            ),
            (
                "464 0.001 [web-80] [] 192.0.2.7:80, 192.0.2.8:80 0, 13 0.001, 0.000 502, 200 ab-12",
                "rt=0.001; id=ab-12; len=464; ua=192.0.2.7:80, 192.0.2.8:80; us=502, 200; ul=0, 13; urt=0.001, 0.000; pn=web-80; an=-",
            ),
        ] {
            assert_eq!(read(tail).as_deref(), Ok(fields), "{tail}");
        }
    }

    #[test]
    fn the_rest_is_kept_as_it_is() {
        for (tail, fields) in [
            ("1234", "extra=1234"),
            ("0/1234", "extra=0/1234"),
            ("3.21", "extra=3.21"),
            ("1432155937.123", "extra=1432155937.123"),
            ("00.123", "extra=00.123"),
            ("-", "extra=-"),
            (r"0.005 0.004 .", "rt=0.005; urt=0.004; extra=."),
            (r#"0.005 "a b""#, r#"rt=0.005; extra="a b""#),
            (r#""-" "example.com""#, r#"xff=-; extra="example.com""#),
            (r#"500 "web@docker" "-" 0ms"#, r#"extra=500 "web@docker" "-" 0ms"#),
            ("rt=x", "extra=rt=x"),
            ("rt=0.005 rt=0.006", "rt=0.005; extra=rt=0.006"),
            (
                "464 0.001 [web-80] [] 192.0.2.7:80 13",
                "extra=464 0.001 [web-80] [] 192.0.2.7:80 13",
            ),
        ] {
            assert_eq!(read(tail).as_deref(), Ok(fields), "{tail}");
        }
    }

    #[test]
    fn open_quotes_are_refused() {
        for (tail, at) in
            [(r#""192.0.2"#, 8), (r#""-"x"#, 3), (r#"500 "a" "b"#, 10), (r#""a\""#, 4)]
        {
            assert_eq!(read(tail).unwrap_err().at, at, "{tail}");
        }
    }
}

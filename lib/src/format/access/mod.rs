//! Access logs of Apache and nginx.

pub(super) mod head;
pub(super) mod request;
mod tail;
pub(super) mod time;
mod write;

use std::ops::Range;

use super::cursor::{Cursor, Text, find_quote, integer, trim_end};
use super::{Mismatch, spelling};
use crate::time::Calendar;
use head::Head;
use tail::{Tail, end_of_word};
use time::{ClockReader, Time};

/// Reads lines of an access log.
///
/// | format | line |
/// | --- | --- |
/// | common | `client identity user [time] "request" status bytes` |
/// | combined | common, then ` "referer" "user agent"` |
/// | `vhost_combined` | `vhost:port ` or `vhost `, then combined |
///
/// [`apache`](Self::apache) takes all of them, [`nginx`](Self::nginx) those
/// with a referer and a user agent; both take what is often added behind them.
/// A line that both take gives the same record, so there is nothing to decide
/// for [`auto`](Self::auto).
///
/// # Members
///
/// In this order; those that the line does not have are left out, and `-` is
/// `null`.
///
/// | member | type |
/// | --- | --- |
/// | `timestamp` | RFC 3339 in UTC |
/// | `ip_address` | the client: address, host name, `unix:` |
/// | `user_id` | the user that the server authenticated, or (nginx) that the client claimed to be |
/// | `request_id` | string |
/// | `response_time` | double, seconds |
/// | `status_code` | integer; nginx's `000` (no answer was sent) is 0 and its `009` (HTTP/0.9) is 9 |
/// | `identity` | string, from identd |
/// | `method`, `url`, `protocol` | strings; all `null` if the request is none |
/// | `bytes` | integer |
/// | `referer`, `user_agent` | strings |
/// | `vhost`, `vhost_port` | strings |
/// | `x_forwarded_for` | string: a quoted text directly behind the user agent |
/// | `request_length` `upstream_addr` `upstream_status` `upstream_response_length` `upstream_connect_time` `upstream_header_time` `upstream_response_time` | strings, since nginx writes lists if there were several upstreams |
/// | `proxy_upstream_name`, `proxy_alternative_upstream_name` | strings |
/// | `request`, `request_valid` | only where the request is none: its text (also `-`, also empty) and `false` |
/// | `extra` | what is behind all that, from the first word on that is not known, as it stands |
///
/// An unknown tail does not lose the line: what stands before it is complete.
/// Its numbers are not interpreted without a decimal point, since an integer
/// there could be bytes, microseconds (Apache's `%D`), seconds or a count.
///
/// # Text
///
/// Text is what the server wrote, except that `\"` and `\\`, which are there
/// only to fit it between quotes, become `"` and `\`. Other escapes stay as
/// they are: `\x16\x03\x01` is twelve characters, nginx's quote is `\x22` and
/// its backslash `\x5C`. The bytes behind `\xHH` are in no known encoding and
/// often no text at all, and whoever looks for a payload looks for what is in
/// the log. Neither server writes the other's spelling, so one rule serves
/// both, and nginx's `escape=json` too.
///
/// # Cut lines
///
/// A quote that is not closed, a status that is not three digits (or `0`, or
/// `-`), a missing size, a referer without a user agent: all are rejected. What
/// is cut within its last number or, for [`apache`](Self::apache), just before
/// the referer looks complete and is not noticed.
#[derive(Clone, Debug)]
pub struct AccessParser {
    clock: ClockReader,
    /// Whether a line without referer and user agent is refused.
    combined_only: bool,
}

impl AccessParser {
    /// A parser of Apache's common, combined and `vhost_combined`.
    pub const fn apache() -> Self {
        Self { clock: ClockReader::new(), combined_only: false }
    }

    /// A parser of nginx's combined, with or without a virtual host before it.
    pub const fn nginx() -> Self {
        Self { clock: ClockReader::new(), combined_only: true }
    }

    /// A parser of any of these.
    pub const fn auto() -> Self {
        Self::apache()
    }

    /// Appends the members of the line's record, without braces:
    /// `"timestamp":"2000-10-10T20:55:36.000Z","ip_address":"192.0.2.1",…`.
    ///
    /// `text` is UTF-8, without its newline; blanks at its end are ignored. The
    /// calendar says what a time without a zone means, and how times are spelled
    /// that are neither in the common log format nor in another that it knows.
    ///
    /// # Errors
    ///
    /// Returns the first mistake, read from left to right, and leaves `out` as
    /// it was.
    #[inline]
    pub fn parse(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<(), Mismatch> {
        let text = trim_end(text);
        let opening = Opening::find(text)?;
        let line = Cursor::new(text);
        let head = Head::split(line.part(0..opening.head_end, opening.escaped))?;
        let time = self.time(&text[opening.time.clone()], calendar);
        let time = time.ok_or_else(|| bad_time(opening.time.start, calendar))?;
        let mut cursor = line.at(opening.request);
        let body = Body::read(&mut cursor, self.combined_only)?;
        cursor.blanks();
        let tail = if cursor.rest().is_empty() { None } else { Some(Tail::read(cursor)?) };
        write::record(&time, &head, &body, tail.as_ref(), out);
        Ok(())
    }

    /// A short number in brackets is no time, unless a format says that it is.
    #[inline]
    fn time(&mut self, text: &[u8], calendar: &mut Calendar) -> Option<Time> {
        if text.len() < SHORTEST_TIME && !calendar.has_format() {
            return None;
        }
        self.clock.read(text, calendar)
    }
}

#[cold]
fn bad_time(at: usize, calendar: &Calendar) -> Mismatch {
    Mismatch::bad_time(at, if calendar.has_format() { spelling::GIVEN } else { A_TIME })
}

/// Length of `2000-10-10 13:55:36`.
const SHORTEST_TIME: usize = 19;

/// What was expected to be a time as servers write it.
pub(super) const A_TIME: &str = "an existing time such as 10/Oct/2000:13:55:36 -0700";

/// Where the parts up to the request lie: `head [time] "request…`.
struct Opening {
    /// Of the text before the time, which begins the line.
    head_end: usize,
    /// Whether that text has backslashes or quotes.
    escaped: bool,
    /// What is in the brackets.
    time: Range<usize>,
    /// Behind the request's opening quote.
    request: usize,
}

impl Opening {
    /// Looks for the request's opening quote first and goes back from there.
    ///
    /// A user can be called anything, `x [01/Jan/2000:00:00:00 +0000]` too, but
    /// quotes in names are escaped, so that the first one is the request's and
    /// the time is what stands right before it.
    #[inline]
    fn find(text: &[u8]) -> Result<Self, Mismatch> {
        let Some((quote, escaped)) = request_quote(text) else {
            return Err(Mismatch::no_match(text.len(), "request", "an opening quote"));
        };
        let before = &text[..quote];
        let bracket = match quote.checked_sub(time::CLF_LENGTH + 3) {
            Some(at) if text[at] == b'[' => Some(at),
            _ => memchr::memrchr(b'[', before),
        };
        match bracket {
            Some(at) if at > 0 && text[at - 1] == b' ' && before.ends_with(b"] ") => {
                Ok(Self { head_end: at - 1, escaped, time: at + 1..quote - 2, request: quote + 1 })
            }
            _ => {
                Err(Mismatch::no_match(quote, "time", "a time in brackets before the first quote"))
            }
        }
    }
}

/// The request's opening quote, and whether there is a backslash or another
/// quote before it.
#[inline]
fn request_quote(text: &[u8]) -> Option<(usize, bool)> {
    /// How Apache writes a user whose name is empty.
    const EMPTY_USER: &[u8] = br#""" ["#;
    let (quote, escaped) = find_quote(text, 0)?;
    if text[quote..].starts_with(EMPTY_USER) {
        let (quote, _) = find_quote(text, quote + EMPTY_USER.len())?;
        return Some((quote, true));
    }
    Some((quote, escaped))
}

/// What the line has from the request to the user agent.
struct Body<'a> {
    request: Text<'a>,
    /// JSON: an integer or `null`.
    status: &'a [u8],
    /// JSON: an integer or `null`.
    bytes: &'a [u8],
    /// Referer and user agent.
    agent: Option<(Text<'a>, Text<'a>)>,
}

impl<'a> Body<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>, combined_only: bool) -> Result<Self, Mismatch> {
        let request = cursor.quoted("request")?;
        blank(cursor, "request", "a blank behind the closing quote")?;
        let status = number(cursor, status, "status", "three digits, 0 or -")?;
        blank(cursor, "status", "a blank and a size behind it")?;
        let bytes = number(cursor, size, "size", "a number of up to 18 digits, or -")?;
        let agent = if cursor.take(br#" ""#) {
            let referer = cursor.quoted("referer")?;
            if !cursor.take(br#" ""#) {
                return Err(Mismatch::no_match(cursor.at, "user agent", "a blank and a quote"));
            }
            let agent = cursor.quoted("user agent")?;
            end_of_word(*cursor, "user agent")?;
            Some((referer, agent))
        } else if combined_only {
            return Err(Mismatch::no_match(cursor.at, "referer", "a blank and a quote"));
        } else {
            None
        };
        Ok(Self { request, status, bytes, agent })
    }
}

fn blank(
    cursor: &mut Cursor<'_>,
    token: &'static str,
    expected: &'static str,
) -> Result<(), Mismatch> {
    if cursor.take(b" ") { Ok(()) } else { Err(Mismatch::no_match(cursor.at, token, expected)) }
}

/// Reads a word that `as_json` knows as a number.
#[inline]
fn number<'a>(
    cursor: &mut Cursor<'a>,
    as_json: impl Fn(&'a [u8]) -> Option<&'a [u8]>,
    token: &'static str,
    expected: &'static str,
) -> Result<&'a [u8], Mismatch> {
    let at = cursor.at;
    as_json(cursor.word()).ok_or(Mismatch::no_match(at, token, expected))
}

/// A status as JSON. `000` is what nginx logs for a client that left before
/// there was an answer, `-` what Apache and Traefik do; they stay apart.
#[inline]
pub(super) fn status(word: &[u8]) -> Option<&[u8]> {
    match word {
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] | b"0" => Some(word),
        [_, _, _] => integer(word),
        b"-" => Some(b"null"),
        _ => None,
    }
}

/// A size as JSON. Counters that went over in 32 bits gave negative ones.
#[inline]
pub(super) fn size(word: &[u8]) -> Option<&[u8]> {
    match word {
        b"-" => Some(b"null"),
        [b'-', b'1'..=b'9', digits @ ..] if digits.len() < 18 => {
            digits.iter().all(u8::is_ascii_digit).then_some(word)
        }
        word => integer(word),
    }
}

#[cfg(test)]
mod tests;

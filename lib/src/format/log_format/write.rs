//! The record of a line, as JSON members.

use super::variable::Kind;
use super::{LogFormatParser, Value};
use crate::format::access::head::is_host;
use crate::format::access::request::{self, Request};
use crate::format::access::time::Time;
use crate::format::access::{size, status};
use crate::format::cursor::{Cursor, Text};
use crate::format::{Mismatch, Parsed};
use crate::line::json;

impl LogFormatParser {
    /// Appends the members of a line whose values have been found.
    #[inline]
    pub(super) fn write(
        &self,
        line: &[u8],
        time: Option<&Time>,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let start = out.len();
        if let Some(time) = time {
            out.extend_from_slice(br#""timestamp":""#);
            time.write(out);
            out.push(b'"');
        }
        let cursor = Cursor::new(line);
        let mut bad_request = None;
        for member in &self.members {
            out.extend_from_slice(&member.key);
            let value = &self.values[member.step];
            let raw = &line[value.range.clone()];
            match member.kind {
                Kind::Request => {
                    let text = cursor.part(value.range.clone(), value.escaped);
                    let request = request::split(text);
                    write_request(request.as_ref(), out);
                    bad_request = request.is_none().then_some(text);
                }
                Kind::Status => {
                    out.extend_from_slice(self.checked(member.step, status(raw), STATUS)?);
                }
                Kind::Integer => {
                    out.extend_from_slice(self.checked(member.step, size(raw), SIZE)?);
                }
                Kind::Seconds(decimals) => {
                    let written = seconds(raw, decimals, out);
                    self.checked(member.step, written.then_some(b""), SECONDS)?;
                }
                Kind::Host => {
                    self.checked(member.step, is_host(raw).then_some(b""), HOST)?;
                    self.text(cursor, value, out);
                }
                Kind::Text | Kind::Time(_) => self.text(cursor, value, out),
            }
        }
        if let Some(text) = bad_request {
            out.extend_from_slice(br#","request":"#);
            text.write(out);
            out.extend_from_slice(br#","request_valid":false"#);
        }
        if time.is_none() && out.len() > start {
            out.remove(start);
        }
        Ok(if time.is_some() { Parsed::Timed } else { Parsed::Untimed })
    }

    #[inline]
    fn text(&self, cursor: Cursor<'_>, value: &Value, out: &mut Vec<u8>) {
        let raw = &cursor.text[value.range.clone()];
        match raw {
            // How Apache writes a user whose name is empty.
            br#""""# => out.extend_from_slice(br#""""#),
            b"-" => out.extend_from_slice(b"null"),
            raw if self.raw => json::write_string(raw, out),
            _ => cursor.part(value.range.clone(), value.escaped).write(out),
        }
    }

    #[inline]
    fn checked<'n>(
        &self,
        step: usize,
        value: Option<&'n [u8]>,
        expected: &'static str,
    ) -> Result<&'n [u8], Mismatch> {
        let at = self.values[step].range.start;
        value.ok_or(Mismatch::no_match(at, self.steps[step].token, expected))
    }
}

const HOST: &str = "an address, a host name or -";
const STATUS: &str = "three digits, 0 or -";
const SIZE: &str = "a number of up to 18 digits, or -";
const SECONDS: &str = "a number, or -";

#[inline]
fn write_request(request: Option<&Request<'_>>, out: &mut Vec<u8>) {
    let Some(request) = request else {
        return out.extend_from_slice(br#","method":null,"url":null,"protocol":null"#);
    };
    out.extend_from_slice(br#","method":"#);
    Text::plain(request.method).write(out);
    out.extend_from_slice(br#","url":"#);
    request.url.write(out);
    out.extend_from_slice(br#","protocol":"#);
    request.protocol.map_or(Text::plain(b"-"), Text::plain).write_or_null(out);
}

/// Writes a number of seconds of which so many decimal places make one; false
/// if it is none.
#[inline]
fn seconds(word: &[u8], decimals: usize, out: &mut Vec<u8>) -> bool {
    if word == b"-" {
        out.extend_from_slice(b"null");
    } else if decimals == 0 {
        if !json::is_number(word) {
            return false;
        }
        out.extend_from_slice(word);
    } else {
        let Some(number) = size(word) else { return false };
        write_decimal(number, decimals, out);
    }
    true
}

/// Writes an integer as JSON spells it with its point moved to the left, and no
/// more zeros behind it than one.
fn write_decimal(number: &[u8], decimals: usize, out: &mut Vec<u8>) {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    if digits.len() < number.len() {
        out.push(b'-');
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    out.push(b'.');
    out.extend(std::iter::repeat_n(b'0', decimals - fraction.len()));
    out.extend_from_slice(fraction);
    let zeros = out.iter().rev().take(decimals - 1).take_while(|digit| **digit == b'0').count();
    out.truncate(out.len() - zeros);
}

//! The structured data of RFC 5424, section 6.3, as JSON.

use super::Mismatch;
use super::cursor::Cursor;
use crate::line::json;

const TOKEN: &str = "structured data";

/// Reads `-`, or elements such as `[id name="value"]`, and appends these to
/// `out` as an object with an object for each: `{"id":{"name":"value"}}`.
///
/// # Errors
///
/// Returns the first mistake, from left to right; `out` may hold a part then.
pub(super) fn read(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    if cursor.take(b"-") {
        return Ok(());
    }
    if !cursor.rest().starts_with(b"[") {
        return Err(Mismatch::no_match(cursor.at, TOKEN, "- or an opening bracket"));
    }
    let mut separator = b'{';
    while cursor.take(b"[") {
        out.push(separator);
        separator = b',';
        element(cursor, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Reads an element from behind its opening bracket.
fn element(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    json::write_string(name(cursor, "an id")?, out);
    out.push(b':');
    let mut separator = b'{';
    loop {
        if cursor.take(b"]") {
            if separator == b'{' {
                out.push(b'{');
            }
            out.push(b'}');
            return Ok(());
        }
        if !cursor.take(b" ") {
            return Err(Mismatch::no_match(cursor.at, TOKEN, "a blank or a closing bracket"));
        }
        out.push(separator);
        separator = b',';
        json::write_string(name(cursor, "a name")?, out);
        if !cursor.take(b"=\"") {
            return Err(Mismatch::no_match(cursor.at, TOKEN, "an = and a value in quotes"));
        }
        out.push(b':');
        value(cursor, out)?;
    }
}

/// Reads an id or a name.
fn name<'a>(cursor: &mut Cursor<'a>, expected: &'static str) -> Result<&'a [u8], Mismatch> {
    let rest = cursor.rest();
    let is_end = |byte: &u8| matches!(byte, b'=' | b']' | b'"' | ..=b' ');
    let length = rest.iter().position(is_end).unwrap_or(rest.len());
    if length == 0 {
        return Err(Mismatch::no_match(cursor.at, TOKEN, expected));
    }
    cursor.at += length;
    Ok(&rest[..length])
}

/// Reads a value and its closing quote. Of the escapes only `\"`, `\\` and `\]`
/// mean anything.
fn value(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    out.push(b'"');
    loop {
        let rest = cursor.rest();
        let Some(end) = memchr::memchr2(b'"', b'\\', rest) else {
            return Err(Mismatch::no_match(cursor.text.len(), TOKEN, "a closing quote"));
        };
        json::write_escaped(&rest[..end], out);
        cursor.at += end + 1;
        if rest[end] == b'"' {
            out.push(b'"');
            return Ok(());
        }
        match rest.get(end + 1) {
            Some(byte @ (b'"' | b'\\' | b']')) => {
                json::write_escaped(&[*byte], out);
                cursor.at += 1;
            }
            _ => out.extend_from_slice(b"\\\\"),
        }
    }
}

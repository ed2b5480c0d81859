//! Functions of text.

use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};

use super::{Scalar, integer, list};
use crate::line::Value;
use crate::query::cast;
use crate::query::expr::Expr;
use crate::query::plan::Context;

/// The functions of text.
pub(super) fn call<'a>(
    function: Scalar,
    text: &'a [u8],
    rest: &'a [Expr],
    context: &Context<'a>,
) -> Value<'a> {
    let other = |index: usize| -> Option<&'a [u8]> {
        cast::text(rest.get(index)?.operand(context), context.arena)
    };
    let with_other = |test: fn(&[u8], &[u8]) -> bool| {
        other(0).map_or(Value::Null, |other| Value::Bool(test(text, other)))
    };
    match function {
        Scalar::Length => Value::Int(count_chars(text)),
        Scalar::Lower if text.is_ascii() => ascii(text, u8::to_ascii_lowercase, context),
        Scalar::Upper if text.is_ascii() => ascii(text, u8::to_ascii_uppercase, context),
        Scalar::Lower => unicode(text, |char, out| out.extend(char.to_lowercase()), context),
        Scalar::Upper => unicode(text, |char, out| out.extend(char.to_uppercase()), context),
        Scalar::Trim => Value::Str(trim_left(trim_right(text))),
        Scalar::TrimLeft => Value::Str(trim_left(text)),
        Scalar::TrimRight => Value::Str(trim_right(text)),
        Scalar::StartsWith => with_other(<[u8]>::starts_with),
        Scalar::EndsWith => with_other(<[u8]>::ends_with),
        Scalar::Contains => with_other(|text, part| memchr::memmem::find(text, part).is_some()),
        Scalar::Substring => substring(text, rest, context),
        Scalar::Left => end_of(text, rest, context, |text, at| &text[..char_offset(text, at)]),
        Scalar::Right => end_of(text, rest, context, |text, length| {
            &text[char_offset(text, count_chars(text).saturating_sub(length))..]
        }),
        Scalar::Replace => match (other(0), rest.len()) {
            (Some(part), 1) => replace(text, part, b"", context),
            (Some(part), _) => {
                other(1).map_or(Value::Null, |other| replace(text, part, other, context))
            }
            (None, _) => Value::Null,
        },
        Scalar::SplitPart => match (other(0), integer(rest[1].operand(context))) {
            (Some(separator), Some(number)) => split_part(text, separator, number, context),
            _ => Value::Null,
        },
        _ => Value::Null,
    }
}

/// `concat(x, …)`
pub(super) fn concat<'a>(arguments: &'a [Expr], context: &Context<'a>) -> Value<'a> {
    let mut out = ArenaVec::new_in(context.arena);
    for argument in arguments {
        match cast::text(argument.operand(context), context.arena) {
            Some(text) => out.extend_from_slice(text),
            None => return Value::Null,
        }
    }
    Value::Str(out.into_bump_slice())
}

/// `concat_ws(separator, x, …)`
pub(super) fn concat_with<'a>(arguments: &'a [Expr], context: &Context<'a>) -> Value<'a> {
    let Some(separator) = cast::text(arguments[0].operand(context), context.arena) else {
        return Value::Null;
    };
    let mut parts = ArenaVec::new_in(context.arena);
    for argument in &arguments[1..] {
        match argument.operand(context) {
            Value::List(_, list) | Value::Json(list) if list.starts_with(b"[") => {
                let members = list::members(list);
                let values = members.map(|member| Value::from_json(member, context.arena));
                parts.extend(values.filter_map(|value| cast::text(value, context.arena)));
            }
            value => parts.extend(cast::text(value, context.arena)),
        }
    }
    let mut out = ArenaVec::new_in(context.arena);
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(part);
    }
    Value::Str(out.into_bump_slice())
}

fn ascii<'a>(text: &[u8], change: fn(&u8) -> u8, context: &Context<'a>) -> Value<'a> {
    Value::Str(context.arena.alloc_slice_fill_iter(text.iter().map(change)))
}

fn unicode<'a>(
    text: &'a [u8],
    change: fn(char, &mut ArenaString<'a>),
    context: &Context<'a>,
) -> Value<'a> {
    // Text of a record is UTF-8: the scanner has seen to that.
    let Ok(text) = std::str::from_utf8(text) else { return Value::Str(text) };
    let mut out = ArenaString::with_capacity_in(text.len(), context.arena);
    for char in text.chars() {
        change(char, &mut out);
    }
    Value::Str(out.into_bump_str().as_bytes())
}

/// Without the blanks, and only those, in front.
fn trim_left(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Without the blanks, and only those, at the end.
fn trim_right(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// A number of characters at one end, chosen by `cut`.
fn end_of<'a>(
    text: &'a [u8],
    rest: &'a [Expr],
    context: &Context<'a>,
    cut: fn(&'a [u8], i128) -> &'a [u8],
) -> Value<'a> {
    integer(rest[0].operand(context))
        .map_or(Value::Null, |length| Value::Str(cut(text, length.max(0))))
}

/// Each `part` of the text made `other`; an empty part is in no text.
fn replace<'a>(text: &'a [u8], part: &[u8], other: &[u8], context: &Context<'a>) -> Value<'a> {
    if part.is_empty() {
        return Value::Str(text);
    }
    let mut out = ArenaVec::new_in(context.arena);
    let mut done = 0;
    for at in memchr::memmem::find_iter(text, part) {
        out.extend_from_slice(&text[done..at]);
        out.extend_from_slice(other);
        done = at + part.len();
    }
    out.extend_from_slice(&text[done..]);
    Value::Str(out.into_bump_slice())
}

/// The part with this number between separators. Without a separator the text
/// is one part.
fn split_part<'a>(
    text: &'a [u8],
    separator: &[u8],
    number: i128,
    context: &Context<'a>,
) -> Value<'a> {
    let cuts = || {
        let found = memchr::memmem::find_iter(text, separator);
        found.filter(|_| !separator.is_empty())
    };
    let index = match number {
        0 => return cast::failed(context),
        1.. => number - 1,
        _ => cuts().count() as i128 + 1 + number,
    };
    let Ok(index) = usize::try_from(index) else { return Value::Str(b"") };
    let start = match index.checked_sub(1) {
        None => Some(0),
        Some(before) => cuts().nth(before).map(|at| at + separator.len()),
    };
    let end = cuts().nth(index).unwrap_or(text.len());
    Value::Str(start.and_then(|start| text.get(start..end)).unwrap_or_default())
}

/// Whether the byte begins a character of UTF-8.
const fn begins_char(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn count_chars(text: &[u8]) -> i128 {
    text.iter().filter(|byte| begins_char(**byte)).count() as i128
}

/// Offset of the character with this number, from 0 on, or the text's end.
fn char_offset(text: &[u8], number: i128) -> usize {
    if number <= 0 {
        return 0;
    }
    let Ok(number) = usize::try_from(number) else { return text.len() };
    if number >= text.len() {
        return text.len();
    }
    if text.is_ascii() {
        return number;
    }
    let mut starts = text.iter().enumerate().filter(|(_, byte)| begins_char(**byte));
    starts.nth(number).map_or(text.len(), |(offset, _)| offset)
}

fn substring<'a>(text: &'a [u8], rest: &'a [Expr], context: &Context<'a>) -> Value<'a> {
    let argument = |index: usize| rest.get(index).map(|argument| argument.operand(context));
    let Some(Some(from)) = argument(0).map(integer) else { return Value::Null };
    let length = match argument(1).map(integer) {
        None => i128::from(u32::MAX),
        Some(Some(length)) => length,
        Some(None) => return Value::Null,
    };
    // Places may lie in front of the text; what they span is then cut there.
    let start = match from {
        1.. => from - 1,
        0 => 0,
        _ => count_chars(text).saturating_add(from),
    };
    let end = start.saturating_add(length);
    let (start, end) = (char_offset(text, start), char_offset(text, end));
    Value::Str(text.get(start..end).unwrap_or_default())
}

//! JSON text: strings and numbers, read and written.

/// Where a string ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringEnd {
    /// Offset behind the closing quote.
    pub end: usize,
    /// Whether there is a backslash in the string.
    pub escaped: bool,
}

/// Offset of the first byte at or after `at` that is no JSON white space.
#[inline]
pub fn skip_blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Finds the end of a string whose opening quote is just before `at`, checking
/// its escapes.
///
/// # Errors
///
/// Returns the offset and nature of the first mistake.
#[inline]
pub fn string_end(text: &[u8], mut at: usize) -> Result<StringEnd, (usize, &'static str)> {
    let mut escaped = false;
    loop {
        at = find_special(text, at);
        match text.get(at) {
            Some(b'"') => return Ok(StringEnd { end: at + 1, escaped }),
            Some(b'\\') => {
                at = escape_end(text, at)?;
                escaped = true;
            }
            Some(_) => return Err((at, "control character in a string")),
            None => return Err((at, "the line ends within a string")),
        }
    }
}

fn escape_end(text: &[u8], at: usize) -> Result<usize, (usize, &'static str)> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u')
            if text
                .get(at + 2..at + 6)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
        {
            Ok(at + 6)
        }
        _ => Err((at, "no such escape in a string")),
    }
}

/// Offset of the first quote, backslash or control character at or after `at`,
/// else the text's length.
#[inline]
fn find_special(text: &[u8], mut at: usize) -> usize {
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let mask = special_mask(block);
        if mask != 0 {
            return at + mask.trailing_zeros() as usize;
        }
        at += 16;
    }
    while at < text.len() && !is_special(text[at]) {
        at += 1;
    }
    at
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// One bit for each byte of the block, set where the byte is special.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code, reason = "calls vector instructions that every x86-64 processor has")]
fn special_mask(block: &[u8; 16]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    // SAFETY: SSE2 is part of x86-64, and the load reads the 16 bytes of `block`.
    unsafe {
        let block = _mm_loadu_si128(block.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8));
        // min(byte, 0x1f) = byte is an unsigned byte <= 0x1f.
        let control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)) as u32
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn special_mask(block: &[u8; 16]) -> u32 {
    let mut mask = 0;
    for (index, byte) in block.iter().enumerate() {
        mask |= u32::from(is_special(*byte)) << index;
    }
    mask
}

/// Appends what the escapes in `text` (the inside of a valid string) stand for.
/// A lone surrogate, which no text can hold, becomes U+FFFD.
pub fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let code = rest.get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        match code {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (character, used) = unicode_escape(rest);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(used..).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

/// The character of `XXXX` or `XXXX\uXXXX`, and how much of the text that is.
fn unicode_escape(text: &[u8]) -> (char, usize) {
    let unit = |at: usize| -> Option<u32> {
        let hex = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
        u32::from_str_radix(hex, 16).ok()
    };
    let first = unit(0).unwrap_or(0xfffd);
    if (0xd800..0xdc00).contains(&first)
        && text.get(4..6) == Some(b"\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(6)
    {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
}

/// Appends `text` (UTF-8) as a JSON string with its quotes, escaping no more
/// than JSON demands.
#[inline]
pub fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text, out);
    out.push(b'"');
}

/// Appends `text` as the inside of a JSON string, without quotes.
#[inline]
pub fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    loop {
        let at = find_special(text, start);
        out.extend_from_slice(&text[start..at]);
        let Some(&byte) = text.get(at) else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        start = at + 1;
    }
}

/// Appends an integer.
#[inline]
pub fn write_int(number: i128, out: &mut Vec<u8>) {
    match i64::try_from(number) {
        Ok(small) => out.extend_from_slice(itoa::Buffer::new().format(small).as_bytes()),
        Err(_) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
    }
}

/// Appends a double so that reading it gives the same double, with a point or
/// an exponent; NaN and the infinities, which JSON cannot say, become `null`.
#[inline]
pub fn write_double(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Appends a finite number, whole ones without a point.
pub fn write_number(number: f64, out: &mut Vec<u8>) {
    // Up to here doubles are exact integers.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        write_int(number as i128, out);
    } else {
        write_double(number, out);
    }
}

/// Whether the text is a number as JSON writes them, and nothing else.
pub fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest[0] == b'0' {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let signed = exponent.first().is_some_and(|sign| matches!(sign, b'+' | b'-'));
        let exponent = &exponent[usize::from(signed)..];
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

/// The integer that the text of a number means: `200`, `200.0` and `2e2` alike.
/// `None` if it is none, or does not fit.
pub fn integral(text: &[u8]) -> Option<i128> {
    if let Some(number) = parse_int(text) {
        return Some(number);
    }
    let number = parse_double(text)?;
    // Above 2^53 a double no longer says which integer was meant.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i128)
}

/// Reads `-?[0-9]+`; `None` if it is anything else or does not fit.
#[inline]
pub fn parse_int(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 38 {
        return None;
    }
    if digits.len() <= 18 {
        let mut number: i64 = 0;
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + i64::from(digit);
        }
        return Some(i128::from(if negative { -number } else { number }));
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a finite decimal number, with or without point and exponent; nothing
/// else that Rust would take (`inf`, `+1`, `.5`).
#[inline]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    if let Some(number) = parse_short_decimal(digits) {
        return Some(if digits.len() < text.len() { -number } else { number });
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// Reads a decimal of at most 15 digits: digits and power of ten are doubles
/// exactly, so their quotient is the nearest double to the number.
///
/// Source: Clinger, *How to Read Floating Point Numbers Accurately* (1990).
#[inline]
fn parse_short_decimal(digits: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    if digits.len() > 16 || digits.last() == Some(&b'.') {
        return None;
    }
    let mut number: u64 = 0;
    let mut fraction = None;
    for (index, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
            b'.' if fraction.is_none() => fraction = Some(digits.len() - index - 1),
            _ => return None,
        }
    }
    (digits.len() < 16 || fraction.is_some())
        .then(|| number as f64 / POWERS[fraction.unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_printed_as_json() {
        let print = |number: f64| {
            let mut out = Vec::new();
            write_double(number, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (number, text) in
            [(1.0, "1.0"), (0.1, "0.1"), (-0.0, "-0.0"), (200.0, "200.0"), (f64::NAN, "null")]
        {
            assert_eq!(print(number), text);
        }
        for number in [1e16, 1e300, 5e-324, 1.0 / 3.0] {
            let text = print(number);
            assert!(text.contains(['.', 'e']), "{text}");
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
    }

    #[test]
    fn whole_numbers_are_written_as_such() {
        for (number, text) in [(7.0, "7"), (-0.0, "0"), (0.5, "0.5"), (1e300, "1e+300")] {
            let mut out = Vec::new();
            write_number(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn integers_in_any_spelling() {
        for (text, number) in [
            ("200", Some(200)),
            ("-7", Some(-7)),
            ("200.0", Some(200)),
            ("2e2", Some(200)),
            ("200.5", None),
            ("12345678901234567890123", Some(12_345_678_901_234_567_890_123)),
            ("", None),
            ("-", None),
            ("1x", None),
        ] {
            assert_eq!(integral(text.as_bytes()), number, "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubles_are_read_exactly(text in prop_oneof!["-?[0-9]{1,17}(\\.[0-9]{1,17})?", "[-0-9.eE]{1,8}", any::<f64>().prop_map(|n| n.to_string())]) {
            let digits = text.strip_prefix('-').unwrap_or(&text);
            let theirs = text.parse::<f64>().ok().filter(|n| n.is_finite() && digits.starts_with(|c: char| c.is_ascii_digit()));
            prop_assert_eq!(parse_double(text.as_bytes()).map(f64::to_bits), theirs.map(f64::to_bits), "{}", text);
        }

        #[test]
        fn strings_survive(text in any::<String>()) {
            let mut quoted = Vec::new();
            write_string(text.as_bytes(), &mut quoted);
            prop_assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), text.clone());
            let end = string_end(&quoted, 1).unwrap().end;
            prop_assert_eq!(end, quoted.len());
            let mut plain = Vec::new();
            unescape(&quoted[1..end - 1], &mut plain);
            prop_assert_eq!(plain, text.into_bytes());
        }

        #[test]
        fn unescaping_agrees_with_serde_json(inner in r#"(\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|[a-zé€]){0,20}"#) {
            if let Ok(theirs) = serde_json::from_str::<String>(&format!("\"{inner}\"")) {
                let mut ours = Vec::new();
                unescape(inner.as_bytes(), &mut ours);
                prop_assert_eq!(ours, theirs.into_bytes());
            }
        }

        #[test]
        fn special_bytes_are_found(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let expected = text.iter().position(|&b| is_special(b)).unwrap_or(text.len());
            prop_assert_eq!(find_special(&text, 0), expected);
        }
    }
}

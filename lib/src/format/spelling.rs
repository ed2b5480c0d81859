//! Times as logs spell them.
//!
//! Nothing here knows what a time without a zone or a year means: that is the
//! [`Calendar`](crate::time::Calendar)'s to say.

use crate::time::CivilTime;

/// What a time was expected to be, where any spelling is taken.
pub(super) const ANY: &str =
    "an existing time such as 2024-03-05T07:08:09Z, 05/Mar/2024:07:08:09 +0000 or 1709622489";

/// Reads `YYYY-MM-DDThh:mm:ss[.f][zone]`, also with `/` in the date, with a
/// blank instead of the `T`, and with a comma before the fraction. Source: RFC
/// 3339.
pub(super) fn iso(text: &[u8]) -> Option<CivilTime> {
    let [y1, y2, y3, y4, mark @ (b'-' | b'/'), m1, m2, mark2, d1, d2, between, rest @ ..] = text
    else {
        return None;
    };
    if mark != mark2 || !matches!(between, b'T' | b't' | b' ') {
        return None;
    }
    let year = i32::from(two(*y1, *y2)?) * 100 + i32::from(two(*y3, *y4)?);
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    let (clock, rest) = clock(rest)?;
    let rest = rest.strip_prefix(b" ").filter(|zone| !zone.is_empty()).unwrap_or(rest);
    Some(CivilTime { year: Some(year), month, day, offset: zone(rest)?, ..clock })
}

/// Reads `Tue Oct 10 13:55:36.123456 2000`. The weekday is not checked.
pub(super) fn apache_error(text: &[u8]) -> Option<CivilTime> {
    let [a, b, c, b' ', rest @ ..] = text else { return None };
    if ![a, b, c].into_iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let (time, length) = syslog(rest)?;
    let year = four(rest[length..].strip_prefix(b" ")?)?;
    (time.year.is_none()).then_some(CivilTime { year: Some(year), ..time })
}

/// Reads `Oct  9 13:55:36` or `Oct 10 13:55:36.123` from the start of the text,
/// also with a year before the clock, and says how long it is. Source: RFC
/// 3164.
#[inline]
pub(super) fn syslog(text: &[u8]) -> Option<(CivilTime, usize)> {
    let month = month(text.get(..3)?)?;
    let (day, rest) = match text.get(3..)? {
        [b' ', b' ', ones, b' ', rest @ ..] | [b' ', ones, b' ', rest @ ..] => {
            (two(b'0', *ones)?, rest)
        }
        [b' ', tens, ones, b' ', rest @ ..] => (two(*tens, *ones)?, rest),
        _ => return None,
    };
    let (year, rest) = match rest.split_at_checked(4) {
        Some((digits, [b' ', rest @ ..])) if digits.iter().all(u8::is_ascii_digit) => {
            (four(digits), rest)
        }
        _ => (None, rest),
    };
    let (clock, rest) = clock(rest)?;
    Some((CivilTime { year, month, day, ..clock }, text.len() - rest.len()))
}

/// Reads `hh:mm:ss[.f]` from the start of the text; the date is left at zero.
#[inline]
fn clock(text: &[u8]) -> Option<(CivilTime, &[u8])> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else { return None };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    let (nanos, rest) = match rest {
        [b'.' | b',', digits @ ..] => fraction(digits)?,
        rest => (0, rest),
    };
    let date = CivilTime {
        year: None,
        month: 0,
        day: 0,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        offset: None,
    };
    Some((CivilTime { hour, minute, second, nanos, ..date }, rest))
}

/// Reads the digits behind a decimal point as nanoseconds, cut after nine.
#[inline]
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let used = count.min(9);
    let value = text[..used].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    (count > 0).then(|| (value * 10_u32.pow(9 - used as u32), &text[count..]))
}

/// The seconds that a zone is ahead of UTC; none for no zone. `None` if it is
/// neither.
#[inline]
#[allow(clippy::option_option, reason = "no zone and no such zone are two things")]
fn zone(text: &[u8]) -> Option<Option<i32>> {
    let (sign, hours, minutes) = match *text {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] | [sign @ (b'+' | b'-'), a, b, c, d] => {
            (sign, two(a, b)?, two(c, d)?)
        }
        [sign @ (b'+' | b'-'), a, b] => (sign, two(a, b)?, 0),
        _ => return None,
    };
    let ahead = i32::from(hours) * 3_600 + i32::from(minutes) * 60;
    (hours < 24 && minutes < 60).then_some(Some(if sign == b'-' { -ahead } else { ahead }))
}

/// The number of an English month.
#[inline]
fn month(name: &[u8]) -> Option<u8> {
    const NAMES: [[u8; 3]; 12] = [
        *b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct",
        *b"nov", *b"dec",
    ];
    let name: [u8; 3] = name.try_into().ok()?;
    let name = name.map(|letter| letter.to_ascii_lowercase());
    Some(NAMES.iter().position(|known| *known == name)? as u8 + 1)
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

fn four(text: &[u8]) -> Option<i32> {
    let [a, b, c, d] = *text else { return None };
    Some(i32::from(two(a, b)?) * 100 + i32::from(two(c, d)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_times_need_no_year() {
        for (text, found) in [
            ("Mar  5 07:08:09 host", Some((None, 3, 5, 15))),
            ("Mar 15 07:08:09 host", Some((None, 3, 15, 15))),
            ("Mar 5 07:08:09 host", Some((None, 3, 5, 14))),
            ("Mar 05 2023 07:08:09.5: x", Some((Some(2023), 3, 5, 22))),
            ("Mar 05 07:08", None),
            ("March 5 07:08:09", None),
        ] {
            let read = syslog(text.as_bytes()).map(|(t, length)| (t.year, t.month, t.day, length));
            assert_eq!(read, found, "{text}");
        }
    }
}

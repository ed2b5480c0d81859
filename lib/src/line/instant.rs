//! Times as records spell them.

use super::grammar::{Field, Kind};
use super::json;
use crate::time::{TimeReader, Timestamp};

/// The instant in a field: RFC 3339 and its kin (see [`Timestamp::parse`]), or
/// an epoch number, in quotes or not. `None` if there is none in it.
#[inline]
pub fn read_instant(field: Field, line: &[u8], reader: &mut TimeReader) -> Option<Timestamp> {
    match field.kind {
        Kind::Str => {
            let text = field.inner(line);
            reader.parse(text).or_else(|| unusual(text))
        }
        Kind::Int | Kind::Float => Timestamp::from_epoch_text(field.text(line)),
        Kind::EscapedStr => {
            let mut text = Vec::new();
            json::unescape(field.inner(line), &mut text);
            unusual(&text)
        }
        _ => None,
    }
}

/// Text with blanks around the time, or a number in quotes.
#[cold]
fn unusual(text: &[u8]) -> Option<Timestamp> {
    let text = text.trim_ascii();
    Timestamp::parse(text).or_else(|| Timestamp::from_epoch_text(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Projection, Scanner};

    #[test]
    fn spellings() {
        let mut scanner = Scanner::new(Projection::from_iter(["t"]));
        for (value, micros) in [
            (r#""2025-09-12T00:00:00Z""#, Some(1_757_635_200_000_000)),
            (r#"" 2025-09-12T00:00:00Z ""#, Some(1_757_635_200_000_000)),
            (r#""2025-09-12T09:00:00\u002b09:00""#, Some(1_757_635_200_000_000)),
            (r#""1757635200""#, Some(1_757_635_200_000_000)),
            ("1757635200.5", Some(1_757_635_200_500_000)),
            ("null", None),
            ("{}", None),
            (r#""soon""#, None),
        ] {
            let line = format!("{{\"t\":{value}}}");
            scanner.scan(line.as_bytes()).unwrap();
            let time = read_instant(scanner.field(0), line.as_bytes(), &mut TimeReader::default());
            assert_eq!(time.map(|time| time.micros), micros, "{value}");
        }
    }
}

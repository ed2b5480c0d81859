//! Numbers of a row.

use crate::line::{Field, Kind, json};

/// A value that is neither null nor a number that can be reckoned with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotANumber;

/// The squares of smaller numbers are numbers, and so are sums of some.
const LIMIT: f64 = 1e150;

/// The number in a field; a string is the number that it spells. `None` of a
/// null or missing field.
pub(super) fn read(field: Field, line: &[u8]) -> Result<Option<f64>, NotANumber> {
    let text = match field.kind {
        Kind::Missing | Kind::Null => return Ok(None),
        Kind::Int | Kind::Float => field.text(line),
        Kind::Str => field.inner(line).trim_ascii(),
        _ => return Err(NotANumber),
    };
    let number = json::parse_double(text).filter(|number| number.abs() < LIMIT);
    number.map(Some).ok_or(NotANumber)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Scanner;

    fn of<T>(value: &str, read: fn(Field, &[u8]) -> T) -> T {
        let line = format!("{{\"x\":{value}}}");
        let mut scanner = Scanner::new(["x"].iter().collect());
        scanner.scan(line.as_bytes()).unwrap();
        read(scanner.field(0), line.as_bytes())
    }

    #[test]
    fn numbers_and_what_spells_them() {
        for (value, number) in [
            ("31.2", Ok(Some(31.2))),
            ("7", Ok(Some(7.0))),
            ("\"31.2\"", Ok(Some(31.2))),
            ("\" 7 \"", Ok(Some(7.0))),
            ("null", Ok(None)),
            ("\"\"", Err(NotANumber)),
            ("\"many\"", Err(NotANumber)),
            ("\"NaN\"", Err(NotANumber)),
            ("1e999", Err(NotANumber)),
            ("-1e150", Err(NotANumber)),
            ("9.9e149", Ok(Some(9.9e149))),
            ("true", Err(NotANumber)),
            ("[1]", Err(NotANumber)),
        ] {
            assert_eq!(of(value, read), number, "{value}");
        }
    }
}

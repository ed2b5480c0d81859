//! Values with the types of a schema.

use crate::line::{Field, Kind, json, read_instant};
use crate::query::Type;
use crate::time::TimeReader;

/// Casts fields to types.
#[derive(Debug, Default)]
pub(super) struct Caster {
    time: TimeReader,
    text: Vec<u8>,
}

impl Caster {
    /// Appends the value as one of this type; false if it had to become null.
    ///
    /// What has the right type is copied, and a string that is a number of that
    /// type lends its text; anything else is printed canonically.
    pub(super) fn write(
        &mut self,
        to: Type,
        field: Field,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let text = field.text(record);
        let start = out.len();
        match (to, field.kind) {
            (_, Kind::Missing | Kind::Null) => {
                out.extend_from_slice(b"null");
                return true;
            }
            (Type::String, Kind::Str | Kind::EscapedStr)
            | (Type::Boolean, Kind::True | Kind::False) => out.extend_from_slice(text),
            (Type::String, _) => json::write_string(text, out),
            (Type::Boolean, _) => match self.spelled(field, record) {
                word if word.eq_ignore_ascii_case(b"true") => out.extend_from_slice(b"true"),
                word if word.eq_ignore_ascii_case(b"false") => out.extend_from_slice(b"false"),
                _ => {}
            },
            (Type::Int, _) => self.write_integer(field, record, i32::MIN.into(), out),
            (Type::BigInt, _) => self.write_integer(field, record, i64::MIN.into(), out),
            (Type::Double | Type::Number, _) => {
                let number = self.spelled(field, record);
                if json::is_number(number) {
                    out.extend_from_slice(number);
                }
            }
            (Type::Timestamp, _) => {
                if let Some(time) = read_instant(field, record, &mut self.time) {
                    out.push(b'"');
                    time.write(out);
                    out.push(b'"');
                }
            }
        }
        let is_cast = out.len() > start;
        if !is_cast {
            out.extend_from_slice(b"null");
        }
        is_cast
    }

    /// Appends an integer from `least` to its opposite, nothing if the value is
    /// none.
    fn write_integer(&mut self, field: Field, record: &[u8], least: i128, out: &mut Vec<u8>) {
        let text = self.spelled(field, record);
        let number = json::integral(text).filter(|_| json::is_number(text));
        match number {
            Some(number) if !(least..=-(least + 1)).contains(&number) => {}
            Some(_) if field.kind == Kind::Int => out.extend_from_slice(text),
            Some(number) => json::write_int(number, out),
            None => {}
        }
    }

    /// The text inside of a string, without blanks around it, or of another
    /// value.
    fn spelled<'a>(&'a mut self, field: Field, record: &'a [u8]) -> &'a [u8] {
        match field.kind {
            Kind::Str => field.inner(record).trim_ascii(),
            Kind::EscapedStr => {
                self.text.clear();
                json::unescape(field.inner(record), &mut self.text);
                self.text.trim_ascii()
            }
            _ => field.text(record),
        }
    }
}

//! `--explode`: a record for each element of a list.

use memchr::memmem::Finder;

use super::error::{ReshapeError, check_name};
use super::rewriter::{NewField, Rewriter, key_of};
use super::step::{Rest, Step, StepError};
use crate::line::{Field, Kind, Projection, Scanner, json};
use crate::query::members;

/// Makes a record for each element of a list or each part of a text, which
/// takes the place of the whole.
///
/// As `explode` and `split` of Spark: a field that is null, missing or an empty
/// list gives no record; parts of a text may be empty, and an empty text is one
/// part. Values that are neither list nor text (nor text, without a separator)
/// stay as they are.
#[derive(Debug)]
pub(super) struct Explode {
    scanner: Scanner,
    key: Box<[u8]>,
    separator: Option<Finder<'static>>,
    text: Vec<u8>,
    value: Vec<u8>,
    rewriter: Rewriter,
}

/// The slot of the field's name.
const NAME: u16 = 0;

impl Explode {
    /// Compiles `FIELD` or `FIELD:SEPARATOR`, in which `\t` is a tab.
    pub(super) fn new(text: &str) -> Result<Self, ReshapeError> {
        const FLAG: &str = "--explode";
        let (name, separator) = match text.split_once(':') {
            Some((name, separator)) => (name, Some(separator.replace("\\t", "\t"))),
            None => (text, None),
        };
        if name.is_empty() || separator.as_deref() == Some("") {
            let example = "tags for a list, or tags:, for a text with commas";
            return Err(ReshapeError::Malformed { flag: FLAG, text: text.to_owned(), example });
        }
        check_name(FLAG, name)?;
        Ok(Self {
            scanner: Scanner::new(Projection::from_iter([name])).with_members(),
            key: key_of(name),
            separator: separator.map(|separator| Finder::new(&separator).into_owned()),
            text: Vec::new(),
            value: Vec::new(),
            rewriter: Rewriter::default(),
        })
    }

    /// Hands on a record for each part of a text.
    fn split(&mut self, field: Field, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError> {
        let Self { scanner, key, separator, text, value, rewriter } = self;
        let Some(separator) = separator else { return rest.pass(record) };
        text.clear();
        json::unescape(field.inner(record), text);
        let mut start = 0;
        loop {
            let end = separator.find(&text[start..]).map(|at| start + at);
            value.clear();
            json::write_string(&text[start..end.unwrap_or(text.len())], value);
            let part = NewField { slot: NAME, key, value };
            rest.pass(rewriter.put(record, scanner.members(), 1, |_| part))?;
            match end {
                Some(end) => start = end + separator.needle().len(),
                None => return Ok(()),
            }
        }
    }
}

impl Step for Explode {
    fn apply(&mut self, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError> {
        self.scanner.scan(record)?;
        let field = self.scanner.field(NAME.into());
        match field.kind {
            Kind::Array => {
                let Self { scanner, key, rewriter, .. } = self;
                let mut is_empty = true;
                for value in members(field.text(record)) {
                    is_empty = false;
                    let element = NewField { slot: NAME, key, value };
                    rest.pass(rewriter.put(record, scanner.members(), 1, |_| element))?;
                }
                if is_empty {
                    rest.drop_record();
                }
                Ok(())
            }
            Kind::Str | Kind::EscapedStr => self.split(field, record, rest),
            Kind::Missing | Kind::Null => {
                rest.drop_record();
                Ok(())
            }
            _ => rest.pass(record),
        }
    }
}

//! Schemas: columns and their types, in the DDL that Spark takes.

use super::error::{QueryError, Source};
use super::expr::Type;
use super::functions;
use super::syntax::{Reader, TypedColumn};

/// A column of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaColumn {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub kind: Type,
}

/// Reads a schema, such as ``user_id STRING, `geo.city` STRING, value DOUBLE``.
///
/// `origin` names the text in errors. Types are those that values can be cast
/// to; comments (`-- …`) and line breaks are white space.
///
/// # Errors
///
/// Fails at the first mistake, at an unknown type, or at a name that is there
/// twice; the error shows its place in the text.
///
/// Source: what `StructType.fromDDL` of Apache Spark takes, without nested
/// types and constraints.
pub fn parse_schema(text: &str, origin: &str) -> Result<Vec<SchemaColumn>, QueryError> {
    let source = Source::new(origin, text);
    let mut columns: Vec<SchemaColumn> = Vec::new();
    for TypedColumn { name, name_span, kind, type_span } in Reader::new(&source)?.columns()? {
        let Some(kind) = functions::type_named(&kind) else {
            let message = format!("there is no type {}", kind.to_lowercase());
            let expected = "expected boolean, int, bigint, double, string or timestamp";
            return Err(source.error(type_span, message, expected));
        };
        if columns.iter().any(|column| column.name == name) {
            return Err(source.error(name_span, format!("{name} is there twice"), ""));
        }
        columns.push(SchemaColumn { name, kind });
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_types() {
        let text =
            "a STRING, -- a comment\n `b.c` double,\n`d` BigInt, e timestamp,f int, g boolean";
        let columns = parse_schema(text, "test").unwrap();
        let found: Vec<_> = columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        assert_eq!(
            found,
            [
                ("a", Type::String),
                ("b.c", Type::Double),
                ("d", Type::BigInt),
                ("e", Type::Timestamp),
                ("f", Type::Int),
                ("g", Type::Boolean),
            ]
        );
    }

    #[test]
    fn mistakes_show_their_place() {
        for (text, at, message) in [
            ("a STRING, b BLOB", "BLOB", "there is no type blob"),
            ("a STRING, a INT", "a", "a is there twice"),
            ("a STRING b INT", "b", "`b` does not belong here"),
            ("a INT NOT NULL", "NOT", "`NOT` does not belong here"),
            ("a STRING,", ",", "the text ends too early"),
        ] {
            let error = parse_schema(text, "test").unwrap_err();
            assert_eq!(
                (&text[error.span.clone()], error.message.as_str()),
                (at, message),
                "{text}"
            );
        }
        assert!(parse_schema("", "test").is_err());
    }
}

//! Names and constants as SQL text.

use sqlparser::ast;
use sqlparser::keywords::{
    ALL_KEYWORDS_INDEX, Keyword, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_IDENTIFIER,
    RESERVED_FOR_TABLE_ALIAS,
};
use sqlparser::tokenizer::Token;

use super::Dialect;
use crate::query::error::Source;
use crate::query::expr::Literal;
use crate::query::syntax::Reader;

/// A name, in backquotes unless it can stand without them.
pub(crate) fn quoted(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

/// Whether the parser takes the name for one wherever it may stand.
fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_word = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_word || is_reserved(name) {
        return false;
    }
    // Some words, such as `current_date`, are expressions of their own.
    let source = Source::new("name", name);
    let parsed = Reader::new(&source).and_then(Reader::only_fragment);
    parsed.is_ok_and(
        |fragment| matches!(fragment.expr, ast::Expr::Identifier(ident) if ident.value == name),
    )
}

fn is_reserved(name: &str) -> bool {
    let Token::Word(word) = Token::make_word(name, None) else { return true };
    let keyword = word.keyword;
    ALL_KEYWORDS_INDEX.contains(&keyword)
        && (RESERVED_FOR_IDENTIFIER.contains(&keyword)
            || RESERVED_FOR_COLUMN_ALIAS.contains(&keyword)
            || RESERVED_FOR_TABLE_ALIAS.contains(&keyword)
            || OPERATORS.contains(&keyword))
}

/// Words that the parser would take for a part of the expression before.
const OPERATORS: [Keyword; 21] = [
    Keyword::AND,
    Keyword::AS,
    Keyword::BETWEEN,
    Keyword::COLLATE,
    Keyword::DIV,
    Keyword::ELSE,
    Keyword::END,
    Keyword::ESCAPE,
    Keyword::FILTER,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::NOT,
    Keyword::OR,
    Keyword::OVER,
    Keyword::REGEXP,
    Keyword::RLIKE,
    Keyword::THEN,
    Keyword::WHEN,
    Keyword::XOR,
];

/// A constant as SQL.
pub(super) fn literal(literal: &Literal, dialect: Dialect) -> String {
    match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Bool(truth) => truth.to_string().to_uppercase(),
        Literal::Int(number) => number.to_string(),
        Literal::Double(number) => {
            let text = zmij::Buffer::new().format_finite(*number).to_owned();
            match dialect {
                Dialect::Own => text,
                // Without the letter it would be a decimal number there.
                Dialect::Spark => text + "D",
            }
        }
        Literal::Str(text) => string(&String::from_utf8_lossy(text), dialect),
        Literal::Time(time) => {
            let mut text = Vec::with_capacity(30);
            time.write(&mut text);
            format!("TIMESTAMP '{}'", String::from_utf8_lossy(&text))
        }
    }
}

/// A text in quotes.
pub(super) fn string(text: &str, dialect: Dialect) -> String {
    let text = text.replace('\\', "\\\\");
    // Spark reads 'a''b' as two texts side by side in some versions.
    let quote = if dialect == Dialect::Spark { "\\'" } else { "''" };
    format!("'{}'", text.replace('\'', quote))
}

//! SQL text to clauses.
//!
//! The clauses of a query are few and read here, one by one, so that the place
//! of each part is known exactly and WATERMARK, which `sqlparser` does not
//! know, needs no rewriting of the text. Expressions are `sqlparser`'s.

use std::ops::Range;

use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::dialect::SparkDialect;
use super::error::{QueryError, Source};
use super::tokens::{tokenize, unit};
use crate::time::TimeDelta;

/// A part of a query: an expression and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) span: Range<usize>,
    pub(super) expr: ast::Expr,
}

impl Fragment<'_> {
    /// The text as typed, its white space made single blanks.
    pub(super) fn name(&self) -> String {
        if let Some(path) = path(&self.expr) {
            return path;
        }
        let text = &self.source.text[self.span.clone()];
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn error(
        &self,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> QueryError {
        self.source.error(self.span.clone(), message, expected)
    }
}

/// The name of a field or path, without its quotes.
pub(super) fn path(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::Identifier(ident) => Some(ident.value.clone()),
        ast::Expr::CompoundIdentifier(idents) => {
            Some(idents.iter().map(|ident| ident.value.as_str()).collect::<Vec<_>>().join("."))
        }
        _ => None,
    }
}

/// An item of SELECT.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) value: Fragment<'a>,
    pub(super) alias: Option<String>,
}

/// `WATERMARK field DELAY OF INTERVAL …`
#[derive(Clone, Debug)]
pub(super) struct Watermark {
    pub(super) field: String,
    pub(super) span: Range<usize>,
    pub(super) delay: TimeDelta,
}

/// What GROUP BY names.
#[derive(Clone, Debug)]
pub(super) enum GroupBy<'a> {
    /// These.
    Keys(Vec<Fragment<'a>>),
    /// `GROUP BY ALL`: what SELECT has and does not aggregate.
    All,
}

/// The clauses of a query, as they stand.
#[derive(Clone, Debug)]
pub(super) struct Clauses<'a> {
    pub(super) select: Vec<Item<'a>>,
    /// The name that may stand before a field's: the table's alias or name.
    pub(super) table: Option<String>,
    pub(super) watermark: Option<Watermark>,
    pub(super) filter: Option<Fragment<'a>>,
    pub(super) group_by: GroupBy<'a>,
    pub(super) having: Option<Fragment<'a>>,
}

/// A column of a schema, as it stands.
#[derive(Clone, Debug)]
pub(super) struct TypedColumn {
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
    pub(super) kind: String,
    pub(super) type_span: Range<usize>,
}

/// Reads the tokens of one text.
pub(super) struct Reader<'a> {
    source: &'a Source<'a>,
    parser: Parser<'static>,
    length: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Result<Self, QueryError> {
        let tokens = tokenize(source)?;
        let length = tokens.len();
        let parser = Parser::new(&SparkDialect).with_tokens_with_locations(tokens);
        Ok(Self { source, parser, length })
    }

    /// A whole query.
    pub(super) fn query(mut self) -> Result<Clauses<'a>, QueryError> {
        self.expect(Keyword::SELECT)?;
        if self.parser.peek_keyword(Keyword::DISTINCT) {
            return Err(self.unexpected("SELECT DISTINCT is not supported", "use GROUP BY"));
        }
        let select = self.list(Self::item)?;
        let (mut table, mut watermark) = (None, None);
        if self.parser.parse_keyword(Keyword::FROM) {
            table = Some(self.table()?);
            watermark = self.watermark()?;
            if let Some(alias) = self.alias()? {
                table = Some(alias);
            }
        }
        let group_by = GroupBy::Keys(Vec::new());
        let mut clauses =
            Clauses { select, table, watermark, filter: None, group_by, having: None };
        if self.parser.parse_keyword(Keyword::WHERE) {
            clauses.filter = Some(self.fragment()?);
        }
        if self.parser.parse_keywords(&[Keyword::GROUP, Keyword::BY]) {
            clauses.group_by = if self.parser.parse_keyword(Keyword::ALL) {
                GroupBy::All
            } else {
                GroupBy::Keys(self.list(Self::fragment)?)
            };
        }
        if self.parser.parse_keyword(Keyword::HAVING) {
            clauses.having = Some(self.fragment()?);
        }
        let _ = self.parser.consume_token(&Token::SemiColon);
        self.end("the end of the query")?;
        Ok(clauses)
    }

    /// Items as in SELECT, and nothing more.
    pub(super) fn items(mut self) -> Result<Vec<Item<'a>>, QueryError> {
        let items = self.list(Self::item)?;
        self.end("',' or the end")?;
        Ok(items)
    }

    /// Expressions, and nothing more.
    pub(super) fn fragments(mut self) -> Result<Vec<Fragment<'a>>, QueryError> {
        let fragments = self.list(Self::fragment)?;
        self.end("',' or the end")?;
        Ok(fragments)
    }

    /// One expression, and nothing more.
    pub(super) fn only_fragment(mut self) -> Result<Fragment<'a>, QueryError> {
        let fragment = self.fragment()?;
        self.end("an operator or the end")?;
        Ok(fragment)
    }

    /// Columns with their types, `a STRING, b DOUBLE`, and nothing more: the
    /// name, where it stands, the type as typed, and where that stands.
    pub(super) fn columns(mut self) -> Result<Vec<TypedColumn>, QueryError> {
        let columns = self.list(|reader| {
            let first = reader.parser.index();
            let name = reader.parser.parse_identifier().map_err(|error| reader.error(&error))?;
            let name_span = reader.span_since(first);
            let first = reader.parser.index();
            let kind = reader.parser.parse_data_type().map_err(|error| reader.error(&error))?;
            let type_span = reader.span_since(first);
            Ok(TypedColumn { name: name.value, name_span, kind: kind.to_string(), type_span })
        })?;
        self.end("',' or the end")?;
        Ok(columns)
    }

    fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, QueryError>,
    ) -> Result<Vec<T>, QueryError> {
        let mut list = vec![read(self)?];
        while self.parser.consume_token(&Token::Comma) {
            list.push(read(self)?);
        }
        Ok(list)
    }

    fn item(&mut self) -> Result<Item<'a>, QueryError> {
        if self.parser.peek_token_ref().token == Token::Mul {
            let expected = "name the keys and aggregates that rows are to have";
            return Err(self.unexpected("`*` is not supported in SELECT", expected));
        }
        Ok(Item { value: self.fragment()?, alias: self.alias()? })
    }

    fn fragment(&mut self) -> Result<Fragment<'a>, QueryError> {
        let first = self.parser.index();
        let expr = self.parser.parse_expr().map_err(|error| self.error(&error))?;
        Ok(Fragment { source: self.source, span: self.span_since(first), expr })
    }

    /// `AS name`, or a name alone.
    fn alias(&mut self) -> Result<Option<String>, QueryError> {
        let named = self.parser.parse_keyword(Keyword::AS);
        match &self.parser.peek_token_ref().token {
            Token::Word(word) if named || is_name(word) => {}
            _ if !named => return Ok(None),
            _ => {}
        }
        let ident = self.parser.parse_identifier().map_err(|error| self.error(&error))?;
        Ok(Some(ident.value))
    }

    fn table(&mut self) -> Result<String, QueryError> {
        if self.parser.peek_token_ref().token == Token::LParen {
            return Err(self.unexpected("subqueries are not supported", "expected a table's name"));
        }
        let name =
            self.parser.parse_object_name(false).map_err(|error| self.error(&error))?.0.pop();
        Ok(name.and_then(|part| part.as_ident().map(|i| i.value.clone())).unwrap_or_default())
    }

    fn watermark(&mut self) -> Result<Option<Watermark>, QueryError> {
        if !self.word("WATERMARK") {
            return Ok(None);
        }
        let first = self.parser.index();
        let mut field = self.parser.parse_identifier().map_err(|error| self.error(&error))?.value;
        while self.parser.consume_token(&Token::Period) {
            let step = self.parser.parse_identifier().map_err(|error| self.error(&error))?;
            field = format!("{field}.{}", step.value);
        }
        let span = self.span_since(first);
        if !(self.word("DELAY") && self.word("OF")) {
            return Err(self.unexpected(
                "the WATERMARK clause is incomplete",
                "expected DELAY OF INTERVAL, as in DELAY OF INTERVAL 5 MINUTES",
            ));
        }
        let delay = self.interval()?;
        Ok(Some(Watermark { field, span, delay }))
    }

    /// `INTERVAL 5 MINUTES`, `INTERVAL '5' MINUTE`.
    fn interval(&mut self) -> Result<TimeDelta, QueryError> {
        if !self.word("INTERVAL") {
            let expected = "expected INTERVAL, as in INTERVAL 5 MINUTES";
            return Err(self.unexpected("the delay is no interval", expected));
        }
        let first = self.parser.index();
        while matches!(
            self.parser.peek_token_ref().token,
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Minus
        ) {
            self.parser.next_token();
            // Months and years too, so that the error shows them.
            let is_unit = self.parser.next_token_is_temporal_unit()
                || matches!(&self.parser.peek_token_ref().token,
                    Token::Word(word) if unit(&word.value));
            if is_unit {
                self.parser.next_token();
            }
        }
        if self.parser.index() == first {
            let expected = "expected a number, as in INTERVAL 5 MINUTES";
            return Err(self.unexpected("the interval has no length", expected));
        }
        let span = self.span_since(first);
        match self.source.text[span.clone()].parse::<TimeDelta>() {
            Ok(delay) if delay < TimeDelta::ZERO => {
                Err(self.source.error(span, "the delay is negative", "expected at least 0s"))
            }
            Ok(delay) => Ok(delay),
            Err(error) => Err(self.source.error(span, error.to_string(), "")),
        }
    }

    /// Takes a word, in any case, if it is the next token.
    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(&self.parser.peek_token_ref().token,
            Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted));
        if found {
            self.parser.next_token();
        }
        found
    }

    fn expect(&mut self, keyword: Keyword) -> Result<(), QueryError> {
        if self.parser.parse_keyword(keyword) {
            return Ok(());
        }
        Err(self.unexpected(self.found(), format!("expected {keyword:?}")))
    }

    fn end(&mut self, expected: &str) -> Result<(), QueryError> {
        let token = self.parser.peek_token();
        let (message, expected) = match &token.token {
            Token::EOF => return Ok(()),
            Token::Word(word) if unsupported_clause(word.keyword).is_some() => (
                format!("{} is not supported", word.value.to_uppercase()),
                unsupported_clause(word.keyword).unwrap_or_default().to_owned(),
            ),
            _ => (self.found(), format!("expected {expected}")),
        };
        Err(self.unexpected(message, expected))
    }

    fn found(&self) -> String {
        match &self.parser.peek_token_ref().token {
            Token::EOF => "the text ends too early".to_owned(),
            token => format!("`{token}` does not belong here"),
        }
    }

    /// An error at the next token.
    fn unexpected(&self, message: impl Into<String>, expected: impl Into<String>) -> QueryError {
        self.source.error(self.token_span(self.parser.peek_token_ref()), message, expected)
    }

    fn token_span(&self, token: &TokenWithSpan) -> Range<usize> {
        self.source.bytes(token.span).unwrap_or(self.source.text.len()..self.source.text.len())
    }

    /// From the token with this index to the one taken last.
    fn span_since(&self, first: usize) -> Range<usize> {
        let last = self.parser.index().min(self.length).saturating_sub(1);
        let start = self.token_span(self.parser.token_at(first)).start;
        start..self.token_span(self.parser.token_at(last.max(first))).end
    }

    /// An error of the parser, whose place is only in its text.
    fn error(&self, error: &ParserError) -> QueryError {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
            ParserError::RecursionLimitExceeded => "the expression is nested too deeply",
        };
        let (text, location) = split_location(text);
        let index = self.parser.index().min(self.length);
        let at = location.map(|location| self.source.offset(location));
        let token = (0..self.length)
            .map(|index| self.token_span(self.parser.token_at(index)))
            .find(|span| Some(span.start) == at);
        let span = match (token, at) {
            (Some(span), _) => span,
            (None, Some(at)) => at..at + 1,
            (None, None) if text.ends_with("EOF") => self.source.text.len()..self.source.text.len(),
            (None, None) => self.token_span(self.parser.token_at(index)),
        };
        let parts = text.strip_prefix("Expected: ").and_then(|text| text.split_once(", found: "));
        match parts {
            Some((expected, "EOF")) => {
                self.source.error(span, "the text ends too early", format!("expected {expected}"))
            }
            Some((expected, found)) => self.source.error(
                span,
                format!("`{found}` does not belong here"),
                format!("expected {expected}"),
            ),
            None => self.source.error(span, text, ""),
        }
    }
}

/// Whether a word may be an alias without AS: whether it begins no clause.
fn is_name(word: &Word) -> bool {
    word.quote_style.is_some()
        || !(matches!(
            word.keyword,
            Keyword::FROM | Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::SELECT
        ) || unsupported_clause(word.keyword).is_some()
            || word.value.eq_ignore_ascii_case("WATERMARK"))
}

/// For clauses of SQL that this subset lacks: what there is instead.
fn unsupported_clause(keyword: Keyword) -> Option<&'static str> {
    Some(match keyword {
        Keyword::ORDER | Keyword::SORT | Keyword::CLUSTER | Keyword::DISTRIBUTE => {
            "rows come ordered by window and keys"
        }
        Keyword::LIMIT | Keyword::OFFSET | Keyword::FETCH => "pipe the rows into head",
        Keyword::JOIN
        | Keyword::INNER
        | Keyword::LEFT
        | Keyword::RIGHT
        | Keyword::FULL
        | Keyword::CROSS
        | Keyword::NATURAL
        | Keyword::LATERAL => "a query reads one stream; join with parse --lookup",
        Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
            "give several queries instead"
        }
        Keyword::WINDOW | Keyword::QUALIFY => "windows are made by GROUP BY window(…)",
        _ => return None,
    })
}

/// Splits `… at Line: 1, Column: 2`.
fn split_location(text: &str) -> (&str, Option<sqlparser::tokenizer::Location>) {
    let split = || {
        let (message, place) = text.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        let location = sqlparser::tokenizer::Location {
            line: line.trim().parse().ok()?,
            column: column.trim().parse().ok()?,
        };
        Some((message, Some(location)))
    };
    split().unwrap_or((text, None))
}

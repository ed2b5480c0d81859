//! The dialect that expressions are parsed in.

use std::any::TypeId;

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{DatabricksDialect, Dialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

/// The parser's Databricks dialect, which is Spark's but for what is neither
/// SQL's nor in the way here, with the operator `div` that it lacks.
#[derive(Debug)]
pub(super) struct SparkDialect;

const BASE: DatabricksDialect = DatabricksDialect;

impl Dialect for SparkDialect {
    fn dialect(&self) -> TypeId {
        BASE.dialect()
    }

    fn is_identifier_start(&self, char: char) -> bool {
        BASE.is_identifier_start(char)
    }

    fn is_identifier_part(&self, char: char) -> bool {
        BASE.is_identifier_part(char)
    }

    fn is_delimited_identifier_start(&self, char: char) -> bool {
        BASE.is_delimited_identifier_start(char)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        BASE.supports_filter_during_aggregation()
    }

    fn supports_lambda_functions(&self) -> bool {
        BASE.supports_lambda_functions()
    }

    fn require_interval_qualifier(&self) -> bool {
        BASE.require_interval_qualifier()
    }

    fn supports_bang_not_operator(&self) -> bool {
        BASE.supports_bang_not_operator()
    }

    fn supports_struct_literal(&self) -> bool {
        BASE.supports_struct_literal()
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if !parser.parse_keyword(Keyword::DIV) {
            return None;
        }
        let right = parser.parse_subexpr(precedence);
        Some(right.map(|right| Expr::BinaryOp {
            left: left.clone().into(),
            op: BinaryOperator::MyIntegerDivide,
            right: right.into(),
        }))
    }
}

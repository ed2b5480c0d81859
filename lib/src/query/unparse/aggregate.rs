//! Aggregates to SQL text.

use super::Dialect;
use super::expr::Writer;
use crate::query::expr::{Expr, Type};
use crate::query::plan::{Aggregate, Function};

impl Writer<'_> {
    /// The aggregate's call, its names being those of a record's fields.
    pub(crate) fn aggregate(&self, aggregate: &Aggregate) -> String {
        let argument = match &aggregate.argument {
            None => "*".to_owned(),
            // Compiling puts the cast there again, and so does Spark for text.
            Some(Expr::Cast(Type::Number, operand))
                if self.dialect == Dialect::Own || matches!(**operand, Expr::Slot(_)) =>
            {
                self.sql(operand)
            }
            Some(argument) => self.sql(argument),
        };
        let filter = aggregate
            .filter
            .as_ref()
            .map_or_else(String::new, |filter| format!(" FILTER (WHERE {})", self.sql(filter)));
        match (aggregate.function, self.dialect) {
            (Function::CountDistinct, Dialect::Own) => {
                format!("count(DISTINCT {argument}){filter}")
            }
            // Spark has no exact count of distinct values over a stream.
            (Function::CountDistinct, Dialect::Spark) => {
                format!("size(collect_set({argument}){filter})")
            }
            (function, _) => format!("{}({argument}){filter}", name(function)),
        }
    }
}

/// The name of an aggregate function.
fn name(function: Function) -> &'static str {
    match function {
        Function::Count | Function::CountDistinct => "count",
        Function::Sum => "sum",
        Function::Avg => "avg",
        Function::Min => "min",
        Function::Max => "max",
        Function::StddevSamp => "stddev",
        Function::StddevPop => "stddev_pop",
        Function::VarSamp => "var_samp",
        Function::VarPop => "var_pop",
        Function::CollectList => "collect_list",
        Function::CollectSet => "collect_set",
    }
}

//! Aggregates to SQL text.

use super::Dialect;
use super::expr::Writer;
use super::names::literal;
use crate::query::expr::{Expr, Literal, Type};
use crate::query::plan::{Aggregate, Function, Percentages, RelativeError};
use crate::query::scalar::Scalar;

impl Writer<'_> {
    /// The aggregate's call, its names being those of a record's fields.
    pub(crate) fn aggregate(&self, aggregate: &Aggregate) -> String {
        let filter = aggregate.filter.as_ref();
        let filter =
            filter.map_or_else(String::new, |sql| format!(" FILTER (WHERE {})", self.sql(sql)));
        if aggregate.function == Function::CountDistinct {
            return self.distinct(aggregate.argument.as_ref(), &filter);
        }
        let mut arguments = vec![self.argument(aggregate.argument.as_ref())];
        arguments.extend(aggregate.by.as_ref().map(|by| self.sql(by)));
        arguments.extend(self.option(&aggregate.function));
        format!("{}({}){filter}", name(&aggregate.function), arguments.join(", "))
    }

    /// The first argument, or what stands in its place.
    fn argument(&self, argument: Option<&Expr>) -> String {
        match argument {
            None => "*".to_owned(),
            // Compiling puts the cast there again, and so does Spark for text.
            Some(Expr::Cast(Type::Number, operand))
                if self.dialect == Dialect::Own || matches!(**operand, Expr::Slot(_)) =>
            {
                self.sql(operand)
            }
            Some(Expr::Call(Scalar::Tuple, values)) => self.list(values),
            Some(argument) => self.sql(argument),
        }
    }

    /// The constant behind the arguments, where it is not the default.
    fn option(&self, function: &Function) -> Option<String> {
        let number = |number: f64| literal(&Literal::Double(number), self.dialect);
        match function {
            Function::ApproxCountDistinct(error) if *error != RelativeError::DEFAULT => {
                Some(number(error.value()))
            }
            Function::Percentile(percentages) if is_median(percentages) => None,
            Function::Percentile(percentages) | Function::PercentileApprox(percentages) => {
                Some(match percentages {
                    Percentages::One(share) => number(*share),
                    Percentages::List(shares) => {
                        let shares: Vec<_> = shares.iter().map(|share| number(*share)).collect();
                        format!("array({})", shares.join(", "))
                    }
                })
            }
            Function::First { ignore_nulls: true } | Function::Last { ignore_nulls: true } => {
                Some("TRUE".to_owned())
            }
            _ => None,
        }
    }

    /// A count of distinct values. Spark has no exact one over a stream, but
    /// the size of a set is one; several values count if none is null.
    fn distinct(&self, argument: Option<&Expr>, filter: &str) -> String {
        let list = self.argument(argument);
        if self.dialect == Dialect::Own {
            return format!("count(DISTINCT {list}){filter}");
        }
        let member = match argument {
            Some(Expr::Call(Scalar::Tuple, values)) => {
                let present: Vec<_> =
                    values.iter().map(|value| self.sql(&present(value))).collect();
                format!("CASE WHEN {} THEN struct({list}) END", present.join(" AND "))
            }
            _ => list,
        };
        format!("size(collect_set({member}){filter})")
    }
}

fn present(value: &Expr) -> Expr {
    Expr::Not(Expr::IsNull(value.clone().into()).into())
}

fn is_median(percentages: &Percentages) -> bool {
    *percentages == Percentages::One(0.5)
}

/// The name of an aggregate function.
fn name(function: &Function) -> &'static str {
    match function {
        Function::Count | Function::CountDistinct => "count",
        Function::ApproxCountDistinct(_) => "approx_count_distinct",
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
        Function::Percentile(percentages) if is_median(percentages) => "median",
        Function::Percentile(_) => "percentile",
        Function::PercentileApprox(_) => "percentile_approx",
        Function::First { .. } => "first",
        Function::Last { .. } => "last",
        Function::MinBy => "min_by",
        Function::MaxBy => "max_by",
        Function::Mode => "mode",
    }
}

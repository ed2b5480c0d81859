//! Plans as a program for Spark Structured Streaming.

mod fields;
mod python;
mod query;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use self::fields::FieldType;
use self::query::SparkQuery;
use crate::line::Projection;
use crate::query::Plan;
use crate::query::unparse::words;
use crate::time::TimeDelta;
use crate::window::{Trigger, WindowOptions};

/// What a program is made of.
#[derive(Clone, Copy, Debug)]
pub struct SparkJob<'a> {
    /// The queries, of one event time's field.
    pub plans: &'a [Plan],
    /// What the plans were compiled against.
    pub projection: &'a Projection,
    /// The options of the run.
    pub options: &'a WindowOptions,
    /// Files, directories or patterns that are read where the program's
    /// command line names none.
    pub input: &'a [String],
}

const TEMPLATE: &str = include_str!("program.py");

/// The text of a Python program that computes the same as `window` would.
///
/// Where Spark has no counterpart to what the plan says, or another one, a
/// comment in the program says so.
pub fn spark(job: &SparkJob<'_>) -> String {
    let queries: Vec<_> = job.queries().collect();
    let functions: Vec<_> = queries.iter().map(SparkQuery::function).collect();
    let mut list = String::new();
    for query in &queries {
        let name = query.plan.name.as_deref().unwrap_or("query");
        let (function, mode) = (&query.name, query.mode().0);
        let _ = writeln!(list, "    ({}, {function}, {}),", python::text(name), python::text(mode));
    }
    let title = job.title();
    let (schema, fields) = job.fields();
    let parts = [
        ("@TITLE@", title.replace('\\', "/").replace('"', "'")),
        ("@TITLE_TEXT@", python::text(&title.replace('%', "%%"))),
        ("@NOTES@", job.notes()),
        ("@APP@", python::text("highwater")),
        ("@INPUT@", python::list(job.input)),
        ("@TRIGGER@", python::text(&job.trigger())),
        ("@SCHEMA@", schema),
        ("@FIELDS@", fields),
        ("@QUERIES@", functions.join("\n\n") + "\n"),
        ("@LIST@", list.trim_end().to_owned()),
    ];
    fill(TEMPLATE, &parts)
}

/// The template with its parts; what is in a part is not looked at again.
fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('@') {
        out.push_str(before);
        let part = parts.iter().find(|(name, _)| behind.starts_with(&name[1..]));
        if let Some((name, text)) = part {
            out.push_str(text);
            rest = &behind[name.len() - 1..];
        } else {
            out.push('@');
            rest = behind;
        }
    }
    out + rest
}

impl<'a> SparkJob<'a> {
    fn queries(&self) -> impl Iterator<Item = SparkQuery<'a>> {
        let &Self { plans, projection, options, .. } = self;
        plans.iter().enumerate().map(move |(index, plan)| {
            let identifier = |plan: &Plan| plan.name.as_deref().map(python::identifier);
            let name = match identifier(plan) {
                // Names that differ may be spelled alike as identifiers.
                Some(name)
                    if plans[..index].iter().any(|p| identifier(p).as_ref() == Some(&name)) =>
                {
                    format!("{name}_{index}")
                }
                Some(name) => name,
                None => format!("query_{index}"),
            };
            SparkQuery { plan, projection, options, name }
        })
    }

    fn title(&self) -> String {
        let names: Vec<_> = self.plans.iter().filter_map(|plan| plan.name.as_deref()).collect();
        match *names {
            [] => "A query as a Spark Structured Streaming program.".to_owned(),
            _ => format!("{} as a Spark Structured Streaming program.", names.join(", ")),
        }
    }

    fn trigger(&self) -> String {
        match self.options.trigger {
            Trigger::Every(interval) => words(interval),
            Trigger::Count(_) => words(TimeDelta::from_seconds(10)),
        }
    }

    /// The names of the fields, and the expressions that type them.
    fn fields(&self) -> (String, String) {
        let dedupe = self.options.dedupe.as_ref().map_or(&[][..], |dedupe| &dedupe.keys);
        let mut types = fields::types(self.plans, dedupe, self.projection.len());
        let mut names: Vec<_> = (0..self.projection.len())
            .map(|slot| String::from_utf8_lossy(self.projection.name(slot)).into_owned())
            .collect();
        // Windows need the time, though no expression may name it.
        for plan in self.plans.iter().filter(|plan| plan.window.is_some() || plan.delay.is_some()) {
            let known = names.iter().position(|name| *name == plan.time_field);
            let slot = known.unwrap_or_else(|| {
                names.push(plan.time_field.clone());
                types.push(None);
                names.len() - 1
            });
            types[slot] = Some(FieldType::Time);
        }
        let used: Vec<_> =
            names.iter().zip(types).filter_map(|(name, of)| Some((name, of?))).collect();
        let schema: Vec<_> = used.iter().map(|(name, _)| python::text(name)).collect();
        let columns: Vec<_> = used.iter().map(|(name, of)| field(name, *of)).collect();
        // A count of records needs none.
        let columns = if columns.is_empty() { vec!["        \"value\",".into()] } else { columns };
        (schema.join(", "), columns.join("\n"))
    }

    /// What the program does not do, for its head.
    fn notes(&self) -> String {
        let options = self.options;
        let missing = [
            ("--allowed-lateness", options.allowed_lateness.is_some()),
            ("--watermark adaptive", options.adaptive.is_some()),
            ("--watermark-per", options.watermark_per.is_some()),
            ("--idle-timeout", options.idle_timeout.is_some()),
            ("--max-ahead", options.ahead.max_ahead.is_some()),
            ("--max-jump", options.ahead.max_jump.is_some()),
            ("--max-groups", options.max_groups.is_some()),
            ("--trigger count", matches!(options.trigger, Trigger::Count(_))),
            ("--row-meta", options.row_meta),
        ];
        let missing: Vec<_> =
            missing.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).collect();
        if missing.is_empty() {
            return String::new();
        }
        format!(
            "\nSpark has no counterpart to {}; this program goes without.\n",
            missing.join(", ")
        )
    }
}

/// The expression that reads and types a field.
fn field(name: &str, of: FieldType) -> String {
    let text = python::text(name);
    let read = if name.contains('.') {
        format!("path({text})")
    } else {
        format!("F.col({})", python::text(&format!("record.`{}`", name.replace('`', "``"))))
    };
    let typed = match of {
        FieldType::Number => format!("{read}.cast(\"double\")"),
        FieldType::Time => format!("event_time({read})"),
        FieldType::List => format!("F.from_json({read}, \"array<string>\")"),
        FieldType::Text => read,
    };
    format!("        {typed}.alias({text}),")
}

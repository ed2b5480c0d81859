//! Arguments that say what is done to records in normal form.
#![allow(clippy::doc_markdown, reason = "the docs of arguments are help texts")]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::UsageError;
use crate::query::{SchemaColumn, parse_schema};
use crate::reshape::{Reshape, ReshapeError, ReshapeOptions, TableFile};

/// Options of what reshapes records.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Reshaping, in this order")]
pub struct ReshapeArgs {
    /// Make a record for each element of a list, or each part of a text: tags, or tags:, with
    /// the separator behind a colon (\t is a tab). Null or an empty list gives none
    #[arg(long, value_name = "FIELD[:SEP]")]
    explode: Vec<String>,

    /// Add the other columns of a table's rows with the same key: CSV with a header, or NDJSON.
    /// A record with several rows becomes several, one without stays as it is
    #[arg(long, value_name = "FILE", requires = "on")]
    lookup: Vec<PathBuf>,

    /// The key of the --lookup before, which the table may call otherwise. CSV has no types, so
    /// there 404 is the same as "404"
    #[arg(long, value_name = "KEY[=TABLE_KEY]", requires = "lookup")]
    on: Vec<String>,

    /// Drop records that have no row in the table
    #[arg(long, requires = "lookup")]
    inner: bool,

    /// Give a field another name; of a path (user.id=user_id) the value is copied
    #[arg(long, value_name = "OLD=NEW")]
    rename: Vec<String>,

    /// Write a field: a text with =, or with := an expression as in --where
    #[arg(long, value_name = "NAME=TEXT|NAME:=EXPR", allow_hyphen_values = true)]
    set: Vec<String>,

    /// Take only records for which this is true, such as 'status_code >= 500' or
    /// 'timestamp >= now() - INTERVAL 10 MINUTES'
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true)]
    filter: Option<String>,

    /// Write only these fields, in this order, as far as the record has them: level,geo.city.
    /// @source stays
    #[arg(long, value_name = "NAMES", conflicts_with = "schema")]
    fields: Vec<String>,

    /// Write exactly the columns of a schema, cast to their types, else null: logs, events,
    /// 'user_id STRING, value DOUBLE' (boolean, int, bigint, double, string, timestamp), or a file
    /// with the like. @source stays
    #[arg(long, value_name = "logs|events|COLUMNS|FILE")]
    schema: Option<PathBuf>,
}

/// The schemas that have names.
const SCHEMAS: [(&str, &str); 2] = [
    (
        "logs",
        "timestamp TIMESTAMP, level STRING, service STRING, message STRING, ip_address STRING, \
         user_id STRING, request_id STRING, response_time DOUBLE, status_code INT, \
         error_code STRING",
    ),
    (
        "events",
        "timestamp TIMESTAMP, user_id STRING, action STRING, value DOUBLE, session_id STRING, \
         ip_address STRING",
    ),
];

impl ReshapeArgs {
    /// The files that it is read from.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        // A schema's name is no file, or one that is not there.
        self.lookup.iter().chain(&self.schema).cloned()
    }

    /// What is to be done; `None` for nothing.
    ///
    /// # Errors
    ///
    /// Fails if a flag cannot be understood, or a file not be read.
    pub fn reshape(&self) -> anyhow::Result<Option<Reshape>> {
        if self.lookup.len() != self.on.len() {
            return Err(UsageError("each --lookup needs an --on of its own".to_owned()).into());
        }
        let names: Vec<String> =
            self.lookup.iter().map(|path| path.display().to_string()).collect();
        let tables = self.lookup.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
        let files = names.iter().zip(&tables).zip(&self.on);
        let lookups: Vec<TableFile<'_>> =
            files.map(|((name, bytes), on)| TableFile { name, bytes, on }).collect();
        let schema = self.schema.as_deref().map(schema).transpose()?;
        Reshape::new(&ReshapeOptions {
            explode: &self.explode,
            lookups: &lookups,
            inner: self.inner,
            rename: &self.rename,
            set: &self.set,
            filter: self.filter.as_deref(),
            fields: &self.fields,
            schema: schema.as_deref(),
        })
        .map_err(|error| match error {
            ReshapeError::Table(error) => error.into(),
            error => UsageError(error.to_string()).into(),
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The columns of a schema that has a name, or else of one in a file.
///
/// What is no file and has blanks is taken for the columns themselves, so that
/// a mistake in them is named, and not the lack of such a file.
fn schema(path: &Path) -> anyhow::Result<Vec<SchemaColumn>> {
    let origin = path.display().to_string();
    let known = SCHEMAS.iter().find(|(name, _)| path == Path::new(name));
    let (text, origin) = match known {
        Some((_, text)) => ((*text).to_owned(), origin),
        None if !path.exists() && origin.trim().contains(' ') => (origin, "--schema".to_owned()),
        None => (String::from_utf8_lossy(&read(path)?).into_owned(), origin),
    };
    let columns = parse_schema(&text, &origin);
    columns.map_err(|error| UsageError(error.to_string()).into())
}

//! The shapes that rows can be printed in.

use std::io::Write;

use clap::ValueEnum;

use crate::sink::{CsvColumn, CsvSink, TableSink, TerminalSize};

/// What `--format` takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    #[default]
    Ndjson,
    /// Aligned columns, for eyes
    Table,
    /// Comma-separated values with a header
    Csv,
}

/// How a run prints its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RowFormat {
    /// As they are.
    #[default]
    Ndjson,
    /// As tables.
    Table {
        /// Whether rows say their query.
        named: bool,
        /// Whether a batch on a terminal takes the place of the one before.
        redraws: bool,
    },
    /// As CSV with these columns.
    Csv(Vec<CsvColumn>),
}

impl RowFormat {
    /// The sink that writes rows in this shape to stdout.
    pub(super) fn sink(self, stdout: Box<dyn Write>) -> Box<dyn Write> {
        match self {
            Self::Ndjson => stdout,
            Self::Table { named, redraws } => {
                Box::new(TableSink::new(named, redraws, Box::new(terminal_size), stdout))
            }
            Self::Csv(columns) => Box::new(CsvSink::new(&columns, stdout)),
        }
    }
}

/// The size of the terminal that stdout is; `None` if it is none, or one that
/// does not say.
fn terminal_size() -> Option<TerminalSize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    let (columns, rows) = (size.ws_col.into(), size.ws_row.into());
    (columns > 0).then_some(TerminalSize { columns, rows })
}

//! Which rows are shown, on the command line.

use clap::Args;

use crate::row::Selection;

/// Options of a stage that shows rows.
#[derive(Args, Clone, Debug, Default)]
#[allow(clippy::doc_markdown, reason = "the doc comments of arguments are help texts")]
pub struct SelectionArgs {
    /// Take the rows of this query; may be given again. Without it, all rows but those with
    /// an ip_address or user_id. Alerts always are
    #[arg(long = "query", value_name = "NAME")]
    queries: Vec<String>,

    /// Tell series apart by this field though it is a number, such as status_code; may be given
    /// again
    #[arg(long = "by", value_name = "FIELD")]
    keys: Vec<String>,
}

impl SelectionArgs {
    /// The rows asked for.
    pub fn selection(&self) -> Selection {
        Selection::new(self.queries.clone(), self.keys.clone())
    }
}

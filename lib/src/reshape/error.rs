//! Flags that cannot be understood.

use super::table::TableError;
use crate::query::QueryError;

/// Why a flag was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReshapeError {
    /// The flag's value does not have its form.
    #[error("{flag} {text:?}: write it like {example}")]
    Malformed {
        /// The flag.
        flag: &'static str,
        /// Its value.
        text: String,
        /// What would be right.
        example: &'static str,
    },
    /// A key that belongs to the stream itself.
    #[error("{flag}: {name} belongs to the stream (as do @, @raw and @source)")]
    Reserved {
        /// The flag.
        flag: &'static str,
        /// The key.
        name: String,
    },
    /// A name that may be given once.
    #[error("{flag}: {name} is given twice")]
    Twice {
        /// The flag.
        flag: &'static str,
        /// The name.
        name: String,
    },
    /// More names than a record is searched for.
    #[error("{flag}: more than {MAX_NAMES} names")]
    TooMany {
        /// The flag.
        flag: &'static str,
    },
    /// A file that is no table, which is no mistake of the command line.
    #[error(transparent)]
    Table(#[from] TableError),
    /// An expression, with its place underlined.
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// So many fields one step may look for.
pub(super) const MAX_NAMES: usize = 1_000;

/// Whether the key belongs to the stream itself.
pub(super) fn is_reserved(name: &str) -> bool {
    matches!(name, "@" | "@raw" | "@source")
}

/// Refuses a name that a step must not write.
pub(super) fn check_name(flag: &'static str, name: &str) -> Result<(), ReshapeError> {
    if is_reserved(name) {
        return Err(ReshapeError::Reserved { flag, name: name.to_owned() });
    }
    Ok(())
}

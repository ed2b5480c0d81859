//! Lines: NDJSON records as borrowed bytes, read in chunks, scanned once.
//!
//! A record is a line plus the places of the few fields that a stage asked for
//! (its *projection*). Nothing else is decoded, and what a stage does not
//! change it copies verbatim, so numbers, key order and spelling survive.
//!
//! | key | on | meaning |
//! | --- | --- | --- |
//! | `"@"` | control lines, always the first key | see [`Control`] |
//! | `"@raw"` | a text line not yet parsed | `{"@raw":"127.0.0.1 - - [...] ..."}` |
//! | `"@source"` | first key of a record with provenance | `{"@source":{"path":"access.log","offset":1234},…}` |

mod control;
mod framing;
mod grammar;
mod instant;
pub mod json;
mod projection;
mod reader;
mod reject;
mod scan;
mod value;

pub use control::{Control, ParseControlError, Start};
pub(crate) use framing::Extent;
pub use framing::{Framing, Multiline};
pub use grammar::{Field, Kind, ScanError};
pub use instant::read_instant;
pub use projection::Projection;
pub use reader::{Line, LineReader, Position};
pub use reject::Reason;
pub use scan::{Member, Scanner};
pub use value::Value;

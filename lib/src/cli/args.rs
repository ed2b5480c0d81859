//! Arguments that every stage understands in the same way.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::stream::MaxRejects;
use crate::time::TimeDelta;

/// Options of every stage that reads records.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every stage")]
pub struct IoArgs {
    /// Keep rejected lines, as {"error":…,"source":…,"raw":…}
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,

    /// End with exit code 1 at the first line that has to be rejected
    #[arg(long)]
    pub strict: bool,

    /// End with exit code 1 once more than N lines were rejected, or at the end of the input if
    /// more than N% were
    #[arg(long, value_name = "N|N%")]
    pub max_rejects: Option<MaxRejects>,

    /// Reject lines longer than this, such as 4096 or 64MiB
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    pub max_line: usize,

    /// Write figures at exit and on SIGUSR1; - is stderr, FILE.prom is in Prometheus form
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// Write the figures every so often too
    #[arg(long, value_name = "DURATION", requires = "stats")]
    pub stats_every: Option<TimeDelta>,

    /// Say in the figures that they are of this pipeline, which tells those of several apart
    #[arg(long, value_name = "NAME", env = "HIGHWATER_PIPELINE")]
    pub pipeline: Option<String>,

    /// Draw progress on stderr while reading files
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: ProgressWhen,
}

/// When progress is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressWhen {
    /// On a terminal, after a second
    Auto,
    /// Also if stderr is no terminal
    Always,
    /// Not at all
    Never,
}

/// Reads a number of bytes: `4096`, `16k`, `64MiB`.
fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err("write it like 4096, 64KiB or 64MiB".to_owned()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    match bytes {
        // Places within a line are kept in 32 bits.
        Some(bytes @ 1..=0xffff_0000) => Ok(bytes as usize),
        _ => Err("write a size from 1 to 3.9GiB, like 4096 or 64MiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("4096", 4096), ("16k", 16_384), ("64MiB", 64 << 20), ("1 GB", 1 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "-1", "5x", "4GiB", "99999999999999999999"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}

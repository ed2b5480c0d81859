//! Checkpoints on the command line.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use super::UsageError;
use crate::checkpoint::{Plan, Role};
use crate::source::is_pipe;

/// Options of a stage that takes part in a checkpoint.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Checkpoint")]
pub struct CheckpointArgs {
    /// Keep state in this folder, the same for all stages of the line; after any failure the same
    /// command line goes on as if nothing had happened
    #[arg(long, value_name = "DIR", env = "HIGHWATER_CHECKPOINT")]
    pub checkpoint: Option<PathBuf>,

    /// What is behind this stage is no stage: it gets rows without control lines, and some of them
    /// again after a failure
    #[arg(long, requires = "checkpoint")]
    pub last: bool,
}

/// Arguments that have no bearing on what a stage computes, or may be others at
/// the next start; secrets among them.
const NEUTRAL: [&str; 28] = [
    // How to reach what is read or written.
    "brokers",
    "delete_on_exit",
    "file",
    "grouping",
    "job",
    "listen",
    "properties",
    "push",
    "transaction_interval",
    // Where things are kept, and how often.
    "checkpoint",
    "checkpoint_interval",
    "every",
    "last",
    "late",
    "rejects",
    "report",
    "reset",
    "textfile",
    // What people see, and what they put up with.
    "help",
    "max_rejects",
    "pipeline",
    "progress",
    "stats",
    "stats_every",
    "stay",
    "strict",
    "version",
    // Positions tell what is read.
    "files",
];

/// Those of `ingest`: what is read and how far is told by positions.
const NEUTRAL_AT_SOURCE: [&str; 10] = [
    "ending_offsets",
    "exit_at_end",
    "fail_on_data_loss",
    "follow",
    "group",
    "heartbeat",
    "limit",
    "max_files_per_trigger",
    "max_offsets_per_trigger",
    "starting_offsets",
];

/// What the command line that this process was started with makes a stage
/// compute: its arguments, defaults among them, in the order of their
/// declaration.
pub fn plan<A: CommandFactory>() -> Plan {
    let mut command = A::command();
    let name = command.get_name().to_owned();
    let Ok(matches) = command.try_get_matches_from_mut(std::env::args_os()) else {
        // It has been read before, without an error.
        return Plan::new(&name, []);
    };
    let mut properties = Vec::new();
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let is_neutral = NEUTRAL.contains(&id)
            // In `detect` a history is what is judged by.
            || (name == "dashboard" && id == "history")
            || (name == "ingest" && (id == "trigger" || NEUTRAL_AT_SOURCE.contains(&id)));
        if is_neutral || !matches.try_contains_id(id).unwrap_or(false) {
            continue;
        }
        let flag = match argument.get_long() {
            Some(long) => format!("--{long} "),
            None => String::new(),
        };
        let values = matches.get_raw(id).into_iter().flatten();
        properties.extend(values.map(|value| format!("{flag}{}", value.to_string_lossy())));
    }
    Plan::new(&name, properties)
}

/// Whether this stage would be the last one, under a checkpoint. Wrong usage
/// shows here, before anything is touched.
///
/// # Errors
///
/// Fails if stdout is nothing that a stage under a checkpoint can write to.
pub fn is_last(args: &CheckpointArgs) -> anyhow::Result<bool> {
    Ok(!matches!(role(rustix::stdio::stdout(), args.last, false)?, Role::Inner))
}

/// Whether somebody reads stdout, if it is a pipe.
pub fn is_read() -> bool {
    let stdout = rustix::stdio::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::HUP;
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_err() || !fds[0].revents().intersects(gone)
}

/// What is behind a stage with that stdout. `ends_stream` says that it writes
/// no stream to it.
pub(super) fn role(
    stdout: BorrowedFd<'_>,
    is_last: bool,
    ends_stream: bool,
) -> anyhow::Result<Role> {
    let file = File::from(stdout.try_clone_to_owned()?);
    if file.metadata()?.is_file() {
        if !rustix::fs::fcntl_getfl(stdout)?.contains(OFlags::APPEND) {
            let text =
                "under --checkpoint the output has to be appended to: write >>FILE, not >FILE";
            return Err(UsageError(text.to_owned()).into());
        }
        return Ok(Role::File(file));
    }
    if is_last || ends_stream {
        return Ok(Role::Foreign);
    }
    if is_pipe(stdout) {
        return Ok(Role::Inner);
    }
    let text = "under --checkpoint stdout has to be another stage, or a file (>>FILE); --last writes \
                to anything, some rows again after a failure";
    Err(UsageError(text.to_owned()).into())
}

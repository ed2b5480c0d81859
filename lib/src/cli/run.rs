//! Runs an operator between the files, pipes and signals of a command line.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::format::RowFormat;
use super::input::Attended;
use super::report::Report;
use super::signals::Signals;
use super::{IoArgs, UsageError, say};
use crate::line::Framing;
use crate::source::{EventTimes, Files, Merge, Source, expand_paths, is_pipe};
use crate::stream::{Operator, Options, Output, SideFile, drive};
use crate::time::TimeDelta;

/// One run of a stage, as the command line describes it.
#[derive(Debug)]
pub struct Run<'a> {
    stage: &'static str,
    io: &'a IoArgs,
    files: &'a [PathBuf],
    framing: Framing,
    merge: Option<Box<dyn EventTimes>>,
    late: Option<&'a Path>,
    sink: Option<&'a Path>,
    format: RowFormat,
    accept_control: bool,
    writes_stream: bool,
}

impl<'a> Run<'a> {
    /// A run of `stage` over stdin.
    pub fn new(stage: &'static str, io: &'a IoArgs) -> Self {
        Self {
            stage,
            io,
            files: &[],
            framing: Framing::Lines,
            merge: None,
            late: None,
            sink: None,
            format: RowFormat::Ndjson,
            accept_control: true,
            writes_stream: true,
        }
    }

    /// Reads these files, directories and patterns instead, if there are any.
    #[must_use]
    pub fn files(mut self, files: &'a [PathBuf]) -> Self {
        self.files = files;
        self
    }

    /// Cuts what it reads into such records.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Reads the files side by side, if times are given, and merges their
    /// records by these.
    #[must_use]
    pub fn merge_by_time(mut self, times: Option<Box<dyn EventTimes>>) -> Self {
        self.merge = times;
        self
    }

    /// Takes what looks like a control line for data.
    #[must_use]
    pub fn outside_world(mut self) -> Self {
        self.accept_control = false;
        self
    }

    /// Ends the stream: what the stage writes is no NDJSON, so control lines
    /// have no place in it.
    #[must_use]
    pub fn end_of_stream(mut self) -> Self {
        self.writes_stream = false;
        self
    }

    /// Writes to this file in place of stdout, if there is one: then the stage
    /// goes on though nobody reads its stdout.
    #[must_use]
    pub fn sink(mut self, sink: Option<&'a Path>) -> Self {
        self.sink = sink;
        self
    }

    /// Prints rows in this shape. Control lines have no place in another one
    /// than NDJSON.
    #[must_use]
    pub fn format(mut self, format: RowFormat) -> Self {
        self.writes_stream &= format == RowFormat::Ndjson;
        self.format = format;
        self
    }

    /// Keeps late records in this file.
    #[must_use]
    pub fn late(mut self, late: Option<&'a Path>) -> Self {
        self.late = late;
        self
    }

    /// Runs the operator until its input ends.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be opened, input or output fails, a line was
    /// rejected under `--strict`, or every line was rejected. A reader of
    /// stdout that has seen enough is no error.
    pub fn drive(self, operator: &mut dyn Operator) -> anyhow::Result<()> {
        let stdin = [PathBuf::from("-")];
        let paths = expand_paths(if self.files.is_empty() { &stdin } else { self.files })?;
        if self.io.stats_every.is_some_and(|every| every <= TimeDelta::ZERO) {
            return Err(UsageError("--stats-every must be longer than 0s".to_owned()).into());
        }
        let stage = self.stage;
        let stdout = rustix::stdio::stdout();
        let options = Options {
            framing: self.framing.clone(),
            max_line: self.io.max_line,
            accept_control: self.accept_control,
            forward_control: self.writes_stream && is_pipe(stdout),
            origin: None,
        };
        let stdout = File::from(stdout.try_clone_to_owned().context("cannot use stdout")?);
        let side_files = [&self.io.rejects, &self.io.stats].map(Option::as_deref);
        for output in side_files.into_iter().chain([self.late, self.sink]).flatten() {
            refuse_input(output, &paths)?;
        }
        let mut out = Output::new(self.format.sink(stdout), Box::new(move |text| say(stage, text)));
        out.strict = self.io.strict;
        out.rejects = self.io.rejects.as_deref().map(side_file).transpose()?;
        out.late = self.late.map(side_file).transpose()?;
        let signals = Signals::install().context("cannot install signal handlers")?;
        let report = Report::new(stage, self.io.stats.clone(), self.io.stats_every);
        // What reads a pipe has another stage in front of it.
        let is_first = paths != stdin || !is_pipe(rustix::stdio::stdin());
        let source: Box<dyn Source> = match self.merge {
            None => Box::new(Files::new(paths)),
            Some(times) => {
                if paths.iter().filter(|path| **path == stdin[0]).count() > 1 {
                    return Err(UsageError("stdin can be merged only once".to_owned()).into());
                }
                Box::new(Merge::new(paths, self.framing, self.io.max_line, times))
            }
        };
        let mut input = Attended::new(source, is_first, signals, report, self.io.progress)?;
        if self.sink.is_some() {
            input.forget_stdout();
        }
        let result = drive(operator, &mut input, &mut out, &options);
        let report = input.finish();
        let mut stats = out.stats.clone();
        operator.stats(&mut stats);
        if let Err(error) = result {
            // Rows from before the failure count, and so do their figures.
            let _ = out.flush();
            let _ = report.write_file(&stats);
            return Err(error.into());
        }
        report.close(&stats)?;
        anyhow::ensure!(
            stats.records_in == 0 || stats.rejected() < stats.records_in,
            "every line was rejected"
        );
        Ok(())
    }
}

/// Refuses to write to a file that is to be read: creating it would empty it.
fn refuse_input(output: &Path, inputs: &[PathBuf]) -> anyhow::Result<()> {
    if output == Path::new("-") {
        return Ok(());
    }
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let Some(output_identity) = identity(output).filter(|_| output.is_file()) else {
        return Ok(());
    };
    let clash = inputs.iter().find(|input| identity(input) == Some(output_identity));
    match clash {
        Some(input) => Err(UsageError(format!(
            "{} is to be read and cannot be written to as well ({})",
            input.display(),
            output.display()
        ))
        .into()),
        None => Ok(()),
    }
}

fn side_file(path: &Path) -> anyhow::Result<SideFile> {
    let name = path.display().to_string();
    let file = File::create(path).with_context(|| format!("cannot create {name}"))?;
    Ok(SideFile::new(name, Box::new(file)))
}

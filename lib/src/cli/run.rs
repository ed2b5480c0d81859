//! Runs an operator between the files, pipes and signals of a command line.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::format::RowFormat;
use super::input::Attended;
use super::report::Report;
use super::signals::Signals;
use super::summary::Hints;
use super::{CheckpointArgs, IoArgs, UsageError, checkpoint, say, terminal};
use crate::checkpoint::{Plan, Role, StageCheckpoint};
use crate::checksum::fnv1a;
use crate::line::Framing;
use crate::source::{Files, Source, expand_paths, is_pipe, present_paths};
use crate::stream::{Checkpoint, Operator, Options, Origin, Output, Owner, SideFile, Stats, drive};
use crate::time::TimeDelta;

/// One run of a stage, as the command line describes it.
#[derive(Debug)]
pub struct Run<'a> {
    stage: &'static str,
    io: &'a IoArgs,
    files: &'a [PathBuf],
    /// Read beside them.
    asides: Vec<PathBuf>,
    /// Those of them that say what is computed.
    defining: Vec<PathBuf>,
    source: Option<Box<dyn Source>>,
    origin: Option<Origin>,
    framing: Framing,
    late: Option<&'a Path>,
    sink: Option<&'a Path>,
    writes_stdout: bool,
    format: RowFormat,
    accept_control: bool,
    writes_stream: bool,
    checkpoint: Option<(&'a Path, bool, Plan)>,
    stay: Option<&'a str>,
}

impl<'a> Run<'a> {
    /// A run of `stage` over stdin.
    pub fn new(stage: &'static str, io: &'a IoArgs) -> Self {
        Self {
            stage,
            io,
            files: &[],
            asides: Vec::new(),
            defining: Vec::new(),
            source: None,
            origin: None,
            framing: Framing::Lines,
            late: None,
            sink: None,
            writes_stdout: true,
            format: RowFormat::Ndjson,
            accept_control: true,
            writes_stream: true,
            checkpoint: None,
            stay: None,
        }
    }

    /// Reads these files, directories and patterns instead, if there are any.
    #[must_use]
    pub fn files(mut self, files: &'a [PathBuf]) -> Self {
        self.files = files;
        self
    }

    /// Reads these files too, before or beside its input, such as tables and
    /// queries: they must not be written to either.
    #[must_use]
    pub fn beside(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.asides.extend(files);
        self
    }

    /// Reads these files beside its input too; what is in them says what it
    /// computes.
    #[must_use]
    pub fn defined_by(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.defining.extend(files);
        let defining = self.defining.clone();
        self.beside(defining)
    }

    /// Cuts what it reads into such records.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Reads from here; the files are then only what must not be written to.
    #[must_use]
    pub fn source(mut self, source: Option<Box<dyn Source>>) -> Self {
        self.source = source;
        self
    }

    /// Puts control lines into the stream, and does so wherever stdout goes.
    #[must_use]
    pub fn origin(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
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
        self.writes_stdout &= sink.is_none();
        self.sink = sink;
        self
    }

    /// Writes nothing to stdout: the stage goes on though nobody reads it.
    #[must_use]
    pub fn without_stdout(mut self) -> Self {
        self.writes_stdout = false;
        self
    }

    /// When the input has ended, says so in these words and waits for a signal,
    /// unless there has been one.
    #[must_use]
    pub fn stay(mut self, text: &'a str) -> Self {
        self.stay = Some(text);
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

    /// Takes part in a checkpoint, if one is asked for, as a stage that computes
    /// what `plan` says.
    #[must_use]
    pub fn checkpoint(mut self, args: &'a CheckpointArgs, plan: fn() -> Plan) -> Self {
        self.checkpoint = args.checkpoint.as_deref().map(|path| (path, args.last, plan()));
        self
    }

    /// The stage's part of the checkpoint, if it takes part in one.
    fn stage_checkpoint(&self) -> anyhow::Result<Option<StageCheckpoint>> {
        let Some((folder, is_last, plan)) = &self.checkpoint else { return Ok(None) };
        if self.origin.is_none() && !self.files.is_empty() {
            let text = "under --checkpoint, or with HIGHWATER_CHECKPOINT set, only `ingest` reads \
                        files: give them to it, and let this stage read its output";
            return Err(UsageError(text.to_owned()).into());
        }
        if self.format != RowFormat::Ndjson {
            let text = "under --checkpoint rows are NDJSON: --format table and csv have to begin anew \
                        at each start";
            return Err(UsageError(text.to_owned()).into());
        }
        let mut plan = plan.clone();
        // What is no file is the name of something built in.
        for path in self.defining.iter().filter(|path| path.exists()) {
            let bytes =
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            plan.push(&format!("{} with checksum {:016x}", path.display(), fnv1a(&bytes)));
        }
        let role = if self.writes_stdout {
            checkpoint::role(rustix::stdio::stdout(), *is_last, !self.writes_stream)?
        } else {
            Role::Foreign
        };
        Ok(Some(StageCheckpoint::new(folder, plan, role)))
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
    /// rejected under `--strict`, more lines than `--max-rejects` were, or every
    /// line was. A reader of
    /// stdout that has seen enough is no error.
    pub fn drive(self, operator: &mut dyn Operator) -> anyhow::Result<()> {
        let stdin = [PathBuf::from("-")];
        let paths = match &self.source {
            Some(_) => present_paths(self.files)?,
            None => expand_paths(if self.files.is_empty() { &stdin } else { self.files })?,
        };
        if self.io.stats_every.is_some_and(|every| every <= TimeDelta::ZERO) {
            return Err(UsageError("--stats-every must be longer than 0s".to_owned()).into());
        }
        let mut checkpoint = self.stage_checkpoint()?;
        let stage = self.stage;
        let stdout = rustix::stdio::stdout();
        let options = Options {
            framing: self.framing.clone(),
            max_line: self.io.max_line,
            accept_control: self.accept_control,
            forward_control: self.writes_stream && is_pipe(stdout),
            origin: self.origin,
        };
        let stdout = File::from(stdout.try_clone_to_owned().context("cannot use stdout")?);
        let side_files = [&self.io.rejects, &self.io.stats].map(Option::as_deref);
        for output in side_files.into_iter().chain([self.late, self.sink]).flatten() {
            refuse_input(output, paths.iter().chain(&self.asides))?;
        }
        let sink = self.format.sink(terminal::beside_messages(stdout));
        let mut out = Output::new(sink, Box::new(move |text| say(stage, text)));
        out.strict = self.io.strict;
        out.max_rejects = self.io.max_rejects;
        let is_kept = checkpoint.is_some();
        let side_file = |path| side_file(path, is_kept);
        out.rejects = self.io.rejects.as_deref().map(side_file).transpose()?;
        out.late = self.late.map(side_file).transpose()?;
        let signals = Signals::install().context("cannot install signal handlers")?;
        let hints = Hints { rejects: self.io.rejects.is_none(), late: self.late.is_none() };
        let owner = Owner { stage, pipeline: self.io.pipeline.as_deref() };
        let report = Report::new(owner, self.io.stats.clone(), self.io.stats_every, hints);
        // What reads a pipe has another stage in front of it.
        let is_first = self.source.is_some() || paths != stdin || !is_pipe(rustix::stdio::stdin());
        let source = self.source.unwrap_or_else(|| Box::new(Files::new(paths)));
        let mut input = Attended::new(source, is_first, signals, report, self.io.progress)?;
        if !self.writes_stdout {
            input.forget_stdout();
        }
        let part = checkpoint.as_mut().map(|checkpoint| checkpoint as &mut dyn Checkpoint);
        let result = drive(operator, &mut input, &mut out, &options, part);
        let (report, signals) = input.finish();
        let mut stats = out.stats.clone();
        operator.stats(&mut stats);
        if let Err(error) = result {
            // Rows from before the failure count, and so do their figures.
            if checkpoint.is_none() {
                let _ = out.flush();
            }
            let _ = report.write_failed(&stats);
            return Err(error.into());
        }
        let verdict = judge(self.io, &stats);
        report.close(&stats, verdict.is_ok())?;
        verdict?;
        if let Some(text) = self.stay {
            // Others may take up the line meanwhile.
            drop(checkpoint);
            stay(stage, text, signals)?;
        }
        Ok(())
    }
}

/// Whether so many rejects are a failure.
fn judge(io: &IoArgs, stats: &Stats) -> anyhow::Result<()> {
    if let Some(most) = io.max_rejects {
        most.check_end(stats)?;
    }
    anyhow::ensure!(
        stats.records_in == 0 || stats.rejected() < stats.records_in,
        "every line was rejected"
    );
    Ok(())
}

/// Waits for a signal that ends the program, unless one has come.
fn stay(stage: &str, text: &str, mut signals: Signals) -> anyhow::Result<()> {
    if !signals.stop() {
        say(stage, text);
    }
    while !signals.stop() {
        signals.wait().context("cannot wait for a signal")?;
    }
    Ok(())
}

/// Refuses to write to a file that is to be read: creating it would empty it.
fn refuse_input<'a>(
    output: &Path,
    mut inputs: impl Iterator<Item = &'a PathBuf>,
) -> anyhow::Result<()> {
    if output == Path::new("-") {
        return Ok(());
    }
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let Some(output_identity) = identity(output).filter(|_| output.is_file()) else {
        return Ok(());
    };
    let clash = inputs.find(|input| identity(input) == Some(output_identity));
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

/// Opens a file to write to. Under a checkpoint it is not emptied: where it goes
/// on shows only in what was kept.
fn side_file(path: &Path, is_kept: bool) -> anyhow::Result<SideFile> {
    let name = path.display().to_string();
    let file = if is_kept {
        File::options().create(true).append(true).open(path)
    } else {
        File::create(path)
    };
    let file = file.with_context(|| format!("cannot create {name}"))?;
    Ok(SideFile::new(name, file))
}

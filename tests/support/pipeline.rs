//! Several programs in one pipe, started one by one so that each can be killed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::command;
use super::process::{End, wait};

/// How long a line may take that nobody kills. Machines that build are slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Where lines under a checkpoint keep it, in the folder in which they run.
pub const STATE: &str = "state";

/// A command line: programs with `|` between them, whose arguments blanks separate but for those in
/// single quotes, and at its end `>>FILE` or `>FILE`, or nothing for a program that writes
/// elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    stages: Vec<Vec<String>>,
    output: Output,
    /// The most that a file may hold, in blocks of 512 bytes.
    limit: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Output {
    Append(String),
    Truncate(String),
    Nothing,
}

impl Line {
    /// Reads one.
    pub fn new(text: &str) -> Self {
        let mut stages = vec![vec![]];
        let mut output = Output::Nothing;
        for word in words(text) {
            if word == "|" {
                stages.push(vec![]);
            } else if let Some(file) = word.strip_prefix(">>") {
                output = Output::Append(file.to_owned());
            } else if let Some(file) = word.strip_prefix('>') {
                output = Output::Truncate(file.to_owned());
            } else {
                stages.last_mut().unwrap().push(word.to_owned());
            }
        }
        Self { stages, output, limit: None }
    }

    /// The same with more arguments for the first stage of this name.
    #[track_caller]
    pub fn with(mut self, program: &str, args: &str) -> Self {
        let stage = self.stages.iter_mut().find(|stage| stage[0] == program).unwrap();
        stage.extend(words(args).map(str::to_owned));
        self
    }

    /// The same with a checkpoint, kept often.
    pub fn under_checkpoint(mut self) -> Self {
        for stage in &mut self.stages {
            stage.extend(["--checkpoint", STATE].map(str::to_owned));
        }
        self.with("ingest", "--checkpoint-interval 20ms")
    }

    /// The same with programs that can write no file longer than so many blocks of
    /// 512 bytes.
    pub fn limited(mut self, blocks: u32) -> Self {
        self.limit = Some(blocks);
        self
    }

    /// The program of a stage, with its arguments.
    fn command(&self, stage: &[String]) -> Command {
        let path = program(&stage[0]);
        let Some(blocks) = self.limit else { return command(path, &stage[1..]) };
        // What goes too far fails, where the signal would kill.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command(
            "sh",
            ["-c", &script, path].into_iter().chain(stage[1..].iter().map(String::as_str)),
        )
    }

    /// How many programs it is.
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// Starts it in `folder`.
    ///
    /// # Panics
    ///
    /// If that is impossible.
    #[track_caller]
    pub fn start(&self, folder: &Path) -> Running {
        let said = tempfile::tempfile().unwrap();
        let mut running = Running { children: vec![], said, line: self.clone() };
        let mut upstream: Option<ChildStdout> = None;
        for (number, stage) in self.stages.iter().enumerate() {
            let mut command = self.command(stage);
            command.current_dir(folder).stderr(running.said.try_clone().unwrap());
            command.stdin(upstream.take().map_or_else(Stdio::null, Stdio::from));
            let is_last = number + 1 == self.stages.len();
            command.stdout(if is_last { self.output.open(folder) } else { Stdio::piped() });
            let mut child = command.spawn().unwrap();
            upstream = child.stdout.take();
            running.children.push(child);
        }
        running
    }

    /// Runs it in `folder` to its end.
    #[track_caller]
    pub fn run(&self, folder: &Path) -> Ended {
        self.start(folder).end()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages: Vec<String> = self.stages.iter().map(|stage| stage.join(" ")).collect();
        f.write_str(&stages.join(" | "))?;
        match &self.output {
            Output::Append(file) => write!(f, " >>{file}"),
            Output::Truncate(file) => write!(f, " >{file}"),
            Output::Nothing => Ok(()),
        }
    }
}

impl Output {
    fn open(&self, folder: &Path) -> Stdio {
        let mut options = OpenOptions::new();
        match self {
            Self::Append(file) => {
                options.create(true).append(true).open(folder.join(file)).unwrap().into()
            }
            Self::Truncate(file) => File::create(folder.join(file)).unwrap().into(),
            Self::Nothing => Stdio::null(),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').enumerate().flat_map(|(index, part)| {
        let (quoted, bare) = if index % 2 == 1 { (Some(part), "") } else { (None, part) };
        quoted.into_iter().chain(bare.split_whitespace())
    })
}

fn program(name: &str) -> &'static str {
    match name {
        "ingest" => env!("CARGO_BIN_EXE_ingest"),
        "parse" => env!("CARGO_BIN_EXE_parse"),
        "window" => env!("CARGO_BIN_EXE_window"),
        "detect" => env!("CARGO_BIN_EXE_detect"),
        "dashboard" => env!("CARGO_BIN_EXE_dashboard"),
        "export-prom" => env!("CARGO_BIN_EXE_export-prom"),
        "produce-synthetic" => env!("CARGO_BIN_EXE_produce-synthetic"),
        #[cfg(feature = "kafka")]
        "emit" => env!("CARGO_BIN_EXE_emit"),
        // Programs that are no stages, from PATH.
        "cat" => "cat",
        "grep" => "grep",
        other => panic!("no program is named {other}"),
    }
}

/// A line that was started. Killed if the test fails.
pub struct Running {
    children: Vec<Child>,
    /// What all of them write to stderr.
    said: File,
    line: Line,
}

impl Running {
    /// The numbers of the stages that have not ended.
    pub fn alive(&mut self) -> Vec<usize> {
        let is_alive = |child: &mut Child| child.try_wait().unwrap().is_none();
        let children = self.children.iter_mut().enumerate();
        children.filter_map(|(number, child)| is_alive(child).then_some(number)).collect()
    }

    /// The process id of a stage.
    pub fn id(&self, stage: usize) -> u32 {
        self.children[stage].id()
    }

    /// Kills a stage with -9.
    pub fn kill(&mut self, stage: usize) {
        self.children[stage].kill().unwrap();
    }

    /// Sends a signal to a stage that has not ended.
    pub fn signal(&self, stage: usize, signal: Signal) {
        let id = i32::try_from(self.children[stage].id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// What the stages have said on stderr so far.
    pub fn said(&self) -> String {
        let mut bytes = vec![0; self.said.metadata().unwrap().len() as usize];
        // Their offset in the file is ours: reading must not move it.
        self.said.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the end of all stages.
    ///
    /// # Panics
    ///
    /// If one of them does not end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let ends = self.children.iter_mut().map(|child| wait(child, PATIENCE)).collect();
        Ended { ends, said: self.said(), line: self.line.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A line whose stages have ended.
pub struct Ended {
    /// How each stage ended.
    pub ends: Vec<End>,
    /// What they said on stderr.
    pub said: String,
    line: Line,
}

impl Ended {
    /// Itself, if all stages exited with 0.
    #[track_caller]
    pub fn success(self) -> Self {
        assert!(self.ends.iter().all(|end| *end == End::Code(0)), "should have succeeded\n{self}");
        self
    }

    /// Itself, if the line failed and said all of these.
    #[track_caller]
    pub fn refused(self, said: &[&str]) -> Self {
        // Stages may have been done by then.
        assert!(self.has_failed() && self.has_only_codes(&[0, 1]), "{self}");
        self.has_said(said)
    }

    /// Itself, if the last stage was used wrongly and said all of these.
    #[track_caller]
    pub fn refused_as_usage(self, said: &[&str]) -> Self {
        assert!(self.ends.last() == Some(&End::Code(2)) && self.has_failed(), "{self}");
        self.has_said(said)
    }

    #[track_caller]
    fn has_said(self, said: &[&str]) -> Self {
        for text in said {
            assert!(self.said.contains(text), "should have said {text:?}\n{self}");
        }
        self
    }

    /// Whether any stage exited with 1.
    pub fn has_failed(&self) -> bool {
        self.ends.contains(&End::Code(1))
    }

    /// Whether each stage exited with one of these codes, or was killed.
    pub fn has_only_codes(&self, codes: &[i32]) -> bool {
        let is_known = |end: &&End| matches!(end, End::Code(code) if codes.contains(code));
        self.ends.iter().filter(is_known).count() + self.killed() == self.ends.len()
    }

    /// How many stages were killed with -9.
    pub fn killed(&self) -> usize {
        let killed = End::Signal(Signal::KILL.as_raw());
        self.ends.iter().filter(|end| **end == killed).count()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line: {}\nends: {:?}\nstderr:\n{}", self.line, self.ends, self.said)
    }
}

/// Adds bytes to a file, which is made if it is not there.
pub fn append(path: impl AsRef<Path>, bytes: &[u8]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// The epoch that a checkpoint's folder says is committed.
pub fn committed(state: &Path) -> Option<u64> {
    epochs(state, "commit.").into_iter().max()
}

/// The epochs of the files `PREFIX.N` or `PREFIX.N.json` in a folder.
pub fn epochs(folder: &Path, prefix: &str) -> Vec<u64> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let epoch = |name: &str| name.strip_prefix(prefix)?.trim_end_matches(".json").parse().ok();
    names.filter_map(|name| epoch(name.to_str()?)).collect()
}

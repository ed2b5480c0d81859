//! Kills stages of a line at random moments, and starts it again, until it has been killed often
//! enough and comes to its end.

use std::env;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::pipeline::{Line, PATIENCE, Running, STATE, committed, epochs};
use super::process::End;

/// How often one looks whether it is time to kill.
const LOOK: Duration = Duration::from_micros(200);

/// Numbers that a seed gives.
///
/// Source: Steele, Lea and Flood, *Fast Splittable Pseudorandom Number Generators* (2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Those of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A time up to `longest`.
    pub fn within(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.below(longest.as_micros() as u64 + 1))
    }

    /// Yes or no.
    pub fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// How many kills there are to be, and where their moments come from.
///
/// `HIGHWATER_CHAOS_KILLS` and `HIGHWATER_CHAOS_SEED` say so; else there are `kills`, and another
/// seed each time. The seed is printed, so that it stands beside a failure; how far the programs
/// have come at a moment is not in its hands.
#[allow(clippy::print_stdout, reason = "cargo shows it with a failure")]
pub fn settings(kills: usize) -> (usize, Random) {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let seed = number("HIGHWATER_CHAOS_SEED")
        .unwrap_or_else(|| RandomState::new().hash_one(std::process::id()) % 1_000_000);
    let kills = number("HIGHWATER_CHAOS_KILLS").map_or(kills, |kills| kills as usize);
    println!("HIGHWATER_CHAOS_SEED={seed} HIGHWATER_CHAOS_KILLS={kills}");
    (kills, Random::new(seed))
}

/// What the kills have hit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Before the first epoch was committed that has records.
    pub early: usize,
    /// Behind it.
    pub later: usize,
    /// Processes killed.
    pub processes: usize,
    /// Lines ended by a signal to their source.
    pub suspended: usize,
    /// Lines started where such an epoch was committed.
    pub resumed: usize,
    /// Lines that came to their end.
    pub finished: usize,
}

impl Counts {
    /// How often something was killed.
    pub fn kills(&self) -> usize {
        self.early + self.later
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { early, later, processes, suspended, resumed, finished } = self;
        let kills = self.kills();
        write!(
            f,
            "{kills} kills of {processes} processes, {early} of them before the first commit and \
             {later} behind it; {suspended} times suspended, {resumed} times resumed, {finished} \
             times finished"
        )
    }
}

/// When to kill.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// So long after the start.
    After(Duration),
    /// So long after a file of a new epoch that begins like this is in DIR.
    New(&'static str, Duration),
    /// So long after this file is in DIR.
    There(&'static str, Duration),
}

impl Moment {
    /// How long after it has [come](Self::has_come).
    fn delay(self) -> Duration {
        let (Self::After(delay) | Self::New(_, delay) | Self::There(_, delay)) = self;
        delay
    }

    /// Whether it is there, `before` being the newest epoch as the line was started.
    fn has_come(self, state: &Path, before: Option<u64>) -> bool {
        match self {
            Self::After(_) => true,
            Self::New(..) => self.newest(state) > before,
            Self::There(file, _) => state.join(file).exists(),
        }
    }

    /// The newest epoch in DIR of the files that it waits for.
    fn newest(self, state: &Path) -> Option<u64> {
        let Self::New(prefix, _) = self else { return None };
        let (folder, prefix) = prefix.rsplit_once('/').unwrap_or((".", prefix));
        // The line's beginning, epoch 0, is not it.
        epochs(&state.join(folder), prefix).into_iter().max().filter(|epoch| *epoch > 0)
    }
}

/// What to do to a line.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// Kill one stage, some of them or all.
    Kill,
    /// End it by a signal to its source.
    Suspend,
}

/// A line that has never run, and its folder.
pub struct Attempt {
    pub line: Line,
    pub folder: PathBuf,
}

impl Attempt {
    fn state(&self) -> PathBuf {
        self.folder.join(STATE)
    }
}

/// What is killed.
pub trait Subject {
    /// A line that has never run.
    fn begin(&mut self) -> Attempt;

    /// Compares what a line that is done has written with what it should have.
    ///
    /// # Panics
    ///
    /// If they differ.
    fn check(&mut self, attempt: &Attempt);
}

/// Somebody who kills.
pub struct Chaos {
    random: Random,
    pub counts: Counts,
    /// Lines of which a part was killed, and that nobody waited for.
    survivors: Vec<Running>,
    /// How long the line takes if nobody kills it.
    whole: Duration,
    /// A file that is in DIR only while something delicate is done.
    delicate: Option<&'static str>,
}

impl Chaos {
    /// Nobody has been killed yet.
    pub fn new(random: Random) -> Self {
        let (counts, whole) = (Counts::default(), Duration::ZERO);
        Self { random, counts, survivors: vec![], whole, delicate: None }
    }

    /// Kills often while this file is in DIR.
    pub fn while_there_is(mut self, file: &'static str) -> Self {
        self.delicate = Some(file);
        self
    }

    /// Kills `subject` so many times, begins anew whenever it comes to its end before, and lets it
    /// come to its end at last.
    #[track_caller]
    pub fn harass(&mut self, subject: &mut impl Subject, kills: usize) {
        let attempt = subject.begin();
        let begun = Instant::now();
        attempt.line.run(&attempt.folder).success();
        self.whole = begun.elapsed();
        self.finish(subject, &attempt);
        let mut attempt = subject.begin();
        let until = self.counts.kills() + kills;
        let mut first = 0;
        while self.counts.kills() < until {
            // Each line is killed before it has committed anything, and when it just has.
            let moment = match first {
                0 => Moment::After(self.random.within(Duration::from_millis(20))),
                1 => Moment::New("commit.", self.random.within(Duration::from_millis(5))),
                _ => self.moment(),
            };
            let is_gentle = first > 1 && self.random.below(10) == 0;
            let blow = if is_gentle { Blow::Suspend } else { Blow::Kill };
            if self.round(&attempt, moment, blow) {
                first += 1;
            } else {
                self.finish(subject, &attempt);
                attempt = subject.begin();
            }
        }
        assert!(
            !self.round(&attempt, Moment::After(PATIENCE), Blow::Kill),
            "{}: no end",
            attempt.line
        );
        self.finish(subject, &attempt);
    }

    /// Somewhere in the run, or where the most happens.
    fn moment(&mut self) -> Moment {
        let soon = self.random.within(Duration::from_millis(5));
        match (self.random.below(8), self.delicate) {
            (4..6, Some(file)) => Moment::There(file, soon),
            (0, _) => Moment::After(self.random.within(Duration::from_millis(60))),
            (1, _) => Moment::New("commit.", soon),
            (2, _) => Moment::New("positions.", soon),
            (3, _) => Moment::New("stage.2/state.", soon),
            _ => Moment::After(self.random.within(self.whole * 11 / 10)),
        }
    }

    /// Kills the source alone so many times, each time just behind new positions, and starts the
    /// line again while the others are still there.
    #[track_caller]
    pub fn behead(&mut self, subject: &mut impl Subject, kills: usize) {
        let mut attempt = subject.begin();
        let until = self.counts.kills() + kills;
        while self.counts.kills() < until {
            let moment = Moment::New("positions.", self.random.within(Duration::from_millis(2)));
            let (mut running, is_time) = self.start(&attempt, moment);
            if is_time && running.alive().first() == Some(&0) {
                running.kill(0);
                self.counts.later += 1;
                self.survivors.push(running);
            } else {
                running.end().success();
                self.finish(subject, &attempt);
                attempt = subject.begin();
            }
        }
        assert!(!self.round(&attempt, Moment::After(PATIENCE), Blow::Kill), "no end");
        self.finish(subject, &attempt);
    }

    /// Runs a line up to `moment` and kills or suspends it; `false` if it was done before that.
    #[track_caller]
    fn round(&mut self, attempt: &Attempt, moment: Moment, blow: Blow) -> bool {
        let (running, is_time) = self.start(attempt, moment);
        if is_time {
            return match blow {
                Blow::Kill => self.kill(attempt, running),
                Blow::Suspend => self.suspend(running),
            };
        }
        running.end().success();
        false
    }

    /// Runs the line until it is time to kill, or it has ended.
    #[track_caller]
    fn start(&mut self, attempt: &Attempt, moment: Moment) -> (Running, bool) {
        let is_resumed = committed(&attempt.state()) > Some(0);
        self.counts.resumed += usize::from(is_resumed);
        let before = moment.newest(&attempt.state());
        let begun = Instant::now();
        let mut running = attempt.line.start(&attempt.folder);
        let mut due = None;
        while due.is_none_or(|due| Instant::now() < due) {
            if running.alive().is_empty() {
                return (running, false);
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{}: still running\n{}",
                attempt.line,
                running.said()
            );
            if due.is_none() && moment.has_come(&attempt.state(), before) {
                let from = if let Moment::After(_) = moment { begun } else { Instant::now() };
                due = Some(from + moment.delay());
            }
            thread::sleep(LOOK);
        }
        (running, true)
    }

    /// Ends the line by a signal to its source; it goes on the next time like one that was killed.
    #[track_caller]
    fn suspend(&mut self, mut running: Running) -> bool {
        if running.alive().first() == Some(&0) {
            running.signal(0, Signal::TERM);
        }
        let ended = running.end();
        // One that was just beginning dies of it, and takes the others with it.
        let has_died = ended.ends[0] == End::Signal(Signal::TERM.as_raw());
        if !has_died {
            ended.success();
        }
        self.counts.suspended += 1;
        true
    }

    /// Kills one stage, some of them or all; `false` if none was left to be killed.
    #[track_caller]
    pub fn kill(&mut self, attempt: &Attempt, mut running: Running) -> bool {
        let is_early = committed(&attempt.state()).unwrap_or(0) == 0;
        let alive = running.alive();
        if alive.is_empty() {
            running.end().success();
            return false;
        }
        let chosen = alive[self.random.below(alive.len() as u64) as usize];
        if self.random.flip() {
            // What it was about to write stays undone, while the others go on.
            running.signal(chosen, Signal::STOP);
            thread::sleep(self.random.within(Duration::from_millis(50)));
        }
        let how = self.random.below(4);
        for stage in running.alive() {
            if stage == chosen || how == 0 || how == 1 && self.random.flip() {
                running.kill(stage);
            }
        }
        if is_early {
            self.counts.early += 1;
        } else {
            self.counts.later += 1;
        }
        self.survivors.push(running);
        if self.random.flip() {
            self.bury();
        }
        true
    }

    /// Waits for those that were not killed: they have to end by themselves.
    #[track_caller]
    pub fn bury(&mut self) {
        for running in self.survivors.drain(..) {
            let ended = running.end();
            assert!(ended.has_only_codes(&[0, 1]), "{ended}");
            self.counts.processes += ended.killed();
        }
    }

    /// Looks at what a line has written that came to its end; then runs it once more, which adds
    /// nothing.
    #[track_caller]
    fn finish(&mut self, subject: &mut impl Subject, attempt: &Attempt) {
        self.bury();
        subject.check(attempt);
        attempt.line.run(&attempt.folder).success();
        subject.check(attempt);
        self.counts.finished += 1;
    }
}

//! The rules of `window`, written down with lists and loops: slow, and plain
//! enough to be compared with their text. Times are whole seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use highwater_core::stream::QueryStats;

/// A record: its time, the partition that it came from, its key and value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) time: Option<i64>,
    pub(crate) partition: u8,
    pub(crate) key: Option<u8>,
    pub(crate) value: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    Fixed { size: i64, slide: i64, start: i64 },
    Session { gap: i64 },
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Append,
    Update(u64),
    Complete(u64),
}

/// A query and how it is run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) windows: Windows,
    pub(crate) delay: Option<i64>,
    /// WHERE v >= this OR v IS NULL
    pub(crate) at_least: i64,
    /// HAVING n >= this
    pub(crate) having: usize,
    pub(crate) lateness: Option<i64>,
    pub(crate) max_jump: Option<i64>,
    pub(crate) keep_ahead: bool,
    pub(crate) dedupe_within: Option<i64>,
    pub(crate) max_groups: Option<usize>,
    pub(crate) per_partition: bool,
    pub(crate) mode: Mode,
}

/// A key as rows are ordered by it: what was kept out first, then null.
type Key = (bool, Option<u8>);

#[derive(Clone, Debug, Default)]
struct Group {
    /// Values with their places in the input.
    values: Vec<(usize, Option<i64>)>,
    changed: bool,
    printed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rows: String,
    pub(crate) stats: QueryStats,
    pub(crate) rejected: u64,
}

pub(crate) struct Oracle<'a> {
    run: &'a Run,
    out: Outcome,
    greatest: BTreeMap<u8, i64>,
    reached: Option<i64>,
    ahead: Vec<(u8, i64)>,
    kept: BTreeMap<Option<u8>, i64>,
    /// By end and start.
    windows: BTreeMap<(i64, i64), BTreeMap<Key, Group>>,
    closed: BTreeSet<(i64, i64, Option<Key>)>,
    settled: BTreeSet<(i64, i64, Option<Key>)>,
    since_trigger: u64,
    /// The watermark at the last trigger.
    shown_until: Option<i64>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn judge(run: &'a Run, events: &[Event]) -> Outcome {
        let mut oracle = Self {
            run,
            out: Outcome::default(),
            greatest: BTreeMap::new(),
            reached: None,
            ahead: Vec::new(),
            kept: BTreeMap::new(),
            windows: BTreeMap::new(),
            closed: BTreeSet::new(),
            settled: BTreeSet::new(),
            since_trigger: 0,
            shown_until: None,
        };
        for (place, event) in events.iter().enumerate() {
            oracle.take(place, *event);
        }
        oracle.end();
        oracle.out
    }

    fn watermark(&self) -> Option<i64> {
        Some(self.reached? - self.run.delay?)
    }

    /// Whether a window refuses records for good.
    fn is_sealed(&self, end: i64) -> bool {
        self.watermark().is_some_and(|w| end.saturating_add(self.run.lateness.unwrap_or(0)) <= w)
    }

    fn is_closed(&self, end: i64) -> bool {
        self.watermark().is_some_and(|w| end <= w)
    }

    fn take(&mut self, place: usize, event: Event) {
        let needs_time = self.run.windows != Windows::None || self.run.dedupe_within.is_some();
        if event.time.is_none() && needs_time {
            self.out.rejected += 1;
            return;
        }
        let time = event.time.unwrap_or(0);
        let is_ahead = event.time.is_some() && self.is_ahead(time, event.partition);
        if is_ahead && !self.run.keep_ahead {
            self.out.rejected += 1;
            return;
        }
        if event.value.is_some_and(|value| value < self.run.at_least) {
            self.out.stats.filtered += 1;
        } else if self.is_duplicate(time, event.key) {
            self.out.stats.duplicates += 1;
        } else if self.place(place, time, event) {
            self.out.stats.aggregated += 1;
        } else {
            self.out.stats.late += 1;
        }
        if event.time.is_some() && !is_ahead {
            self.observe(time, event.partition);
        }
        self.close();
        self.since_trigger += 1;
        if let Mode::Update(every) | Mode::Complete(every) = self.run.mode
            && self.since_trigger == every
        {
            self.trigger();
        }
    }

    fn is_ahead(&mut self, time: i64, partition: u8) -> bool {
        let Some(jump) = self.run.max_jump else { return false };
        let partition = if self.run.per_partition { partition } else { 0 };
        let far = self.greatest.get(&partition).is_some_and(|greatest| time > greatest + jump);
        if !far {
            self.ahead.retain(|(other, _)| *other != partition);
            return false;
        }
        let mut row: Vec<i64> =
            self.ahead.iter().filter(|(p, _)| *p == partition).map(|(_, t)| *t).collect();
        row.push(time);
        let is_chain = row.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= jump);
        self.ahead.retain(|(other, _)| *other != partition);
        if row.len() == 10 && is_chain {
            return false;
        }
        if row.len() == 10 {
            row.remove(0);
        }
        self.ahead.extend(row.into_iter().map(|time| (partition, time)));
        true
    }

    fn is_duplicate(&mut self, time: i64, key: Option<u8>) -> bool {
        let Some(within) = self.run.dedupe_within else { return false };
        let until = self.reached.map(|reached| reached - self.run.delay.unwrap_or(0));
        let first = self.kept.get(&key).copied();
        let first = first.filter(|first| until.is_none_or(|until| until <= first + within));
        if first.is_some_and(|first| (time - first).abs() <= within) {
            return true;
        }
        self.kept.insert(key, time);
        false
    }

    fn observe(&mut self, time: i64, partition: u8) {
        let partition = if self.run.per_partition { partition } else { 0 };
        let greatest = self.greatest.entry(partition).or_insert(time);
        *greatest = time.max(*greatest);
        let least = self.greatest.values().min().copied();
        self.reached = self.reached.max(least);
    }

    /// Puts a record into its windows; false if all refuse it.
    fn place(&mut self, place: usize, time: i64, event: Event) -> bool {
        let mut key = (true, event.key);
        let windows = match self.run.windows {
            Windows::Session { gap } => return self.join(place, time, gap, event),
            Windows::None => vec![(i64::MAX, i64::MIN)],
            Windows::Fixed { size, slide, start } => (-400..400)
                .map(|k| start + k * slide)
                .filter(|start| (*start..start + size).contains(&time))
                .map(|start| (start + size, start))
                .collect(),
        };
        let mut is_taken = false;
        let mut corrected = Vec::new();
        for window in windows {
            if self.is_sealed(window.0) {
                self.out.stats.late_placements += 1;
                continue;
            }
            is_taken = true;
            if let Some(limit) = self.run.max_groups {
                let open: BTreeSet<Key> =
                    self.windows.values().flat_map(|w| w.keys().copied()).collect();
                let open: BTreeSet<Key> = open.into_iter().filter(|key| key.0).collect();
                let groups = self.windows.entry(window).or_default();
                let has_overflowed = groups.contains_key(&(false, None));
                let is_admitted = groups.contains_key(&key)
                    || (!has_overflowed && (open.contains(&key) || open.len() < limit));
                if !is_admitted {
                    key = (false, None);
                }
            }
            let group = self.windows.entry(window).or_default().entry(key).or_default();
            group.values.push((place, event.value));
            group.changed = true;
            if self.is_closed(window.0) {
                corrected.push(window);
            }
        }
        for window in corrected {
            self.closed.insert((window.0, window.1, None));
            if self.shown_until.is_some_and(|shown| window.0 <= shown) {
                self.settled.insert((window.0, window.1, None));
            }
            let printed = self.windows[&window][&key].printed;
            self.print(window, key, Some(printed));
        }
        is_taken
    }

    fn join(&mut self, place: usize, time: i64, gap: i64, event: Event) -> bool {
        let mut key = (true, event.key);
        let open = |oracle: &Self| -> Vec<((i64, i64), Key)> {
            let all = oracle.windows.iter().flat_map(|(w, groups)| groups.keys().map(|k| (*w, *k)));
            all.filter(|(w, k)| !oracle.closed.contains(&(w.0, w.1, Some(*k)))).collect()
        };
        if let Some(limit) = self.run.max_groups {
            let keys: BTreeSet<Key> =
                open(self).into_iter().map(|(_, k)| k).filter(|k| k.0).collect();
            if !keys.contains(&key) && keys.len() >= limit {
                key = (false, None);
            }
        }
        let touched: Vec<(i64, i64)> = open(self)
            .into_iter()
            .filter(|((end, start), other)| *other == key && *start <= time + gap && time <= *end)
            .map(|(window, _)| window)
            .collect();
        let end = touched.iter().map(|(end, _)| *end).fold(time + gap, i64::max);
        let start = touched.iter().map(|(_, start)| *start).fold(time, i64::min);
        if self.is_closed(end) {
            self.out.stats.late_placements += 1;
            return false;
        }
        let mut joined = Group { values: vec![(place, event.value)], changed: true, printed: 0 };
        for window in touched {
            let groups = self.windows.get_mut(&window).unwrap();
            joined.values.extend(groups.remove(&key).unwrap().values);
            if groups.is_empty() {
                self.windows.remove(&window);
            }
        }
        joined.values.sort_unstable();
        self.windows.entry((end, start)).or_default().insert(key, joined);
        true
    }

    fn print(&mut self, window: (i64, i64), key: Key, revision: Option<u64>) {
        let group = self.windows.get_mut(&window).unwrap().get_mut(&key).unwrap();
        if group.values.len() < self.run.having {
            return;
        }
        group.printed += 1;
        let numbers: Vec<i64> = group.values.iter().filter_map(|(_, value)| *value).collect();
        let mut row = String::from("{");
        if self.run.windows != Windows::None {
            let _ = write!(
                row,
                "\"window\":{{\"start\":{},\"end\":{}}},",
                instant(window.1),
                instant(window.0)
            );
        }
        let sum: i64 = numbers.iter().sum();
        let sum = if numbers.is_empty() { "null".to_owned() } else { sum.to_string() };
        let name = key.1.map_or("null".to_owned(), |key| format!("\"key{key}\""));
        let n = group.values.len();
        let list = format!("{numbers:?}").replace(' ', "");
        let distinct = numbers.iter().collect::<BTreeSet<_>>().len();
        let _ = write!(row, "\"k\":{name},\"n\":{n},\"s\":{sum},\"d\":{distinct},\"l\":{list}");
        if !key.0 {
            row.push_str(",\"overflow\":true");
        }
        if let Some(revision @ 1..) = revision {
            let _ = write!(row, ",\"revision\":{revision}");
        }
        self.out.rows += &row;
        self.out.rows += "}\n";
    }

    /// Prints the rows of windows, in order; of all groups or those changed.
    fn print_all(&mut self, wanted: impl Fn(&Self, (i64, i64), Key, &Group) -> bool) {
        let mut due = Vec::new();
        for (window, groups) in &self.windows {
            for (key, group) in groups {
                if wanted(self, *window, *key, group) {
                    due.push((*window, *key));
                }
            }
        }
        for (window, key) in due {
            self.print(window, key, None);
            self.windows.get_mut(&window).unwrap().get_mut(&key).unwrap().changed = false;
        }
    }

    fn has_closed(&self, window: (i64, i64), key: Key) -> bool {
        self.closed.contains(&(window.0, window.1, Some(key)))
            || self.closed.contains(&(window.0, window.1, None))
    }

    fn close(&mut self) {
        let mode = self.run.mode;
        if !matches!(mode, Mode::Complete(_)) {
            self.print_all(|oracle, window, key, group| {
                oracle.is_closed(window.0)
                    && !oracle.has_closed(window, key)
                    && (mode == Mode::Append || group.changed)
            });
        }
        for (window, groups) in &self.windows {
            if self.is_closed(window.0) {
                match self.run.windows {
                    Windows::Session { .. } => {
                        self.closed
                            .extend(groups.keys().map(|key| (window.0, window.1, Some(*key))));
                    }
                    _ => {
                        self.closed.insert((window.0, window.1, None));
                    }
                }
            }
        }
        let keep = matches!(mode, Mode::Complete(_));
        let is_shown = |end: i64| self.shown_until.is_some_and(|until| end <= until);
        let is_gone = |end: i64| (!keep || is_shown(end)) && self.is_sealed(end);
        let sealed: Vec<_> = self.windows.keys().filter(|w| is_gone(w.0)).copied().collect();
        for window in sealed {
            self.windows.remove(&window);
        }
    }

    fn trigger(&mut self) {
        match self.run.mode {
            Mode::Complete(_) => {
                self.print_all(|oracle, window, key, _| {
                    !oracle.settled.contains(&(window.0, window.1, Some(key)))
                        && !oracle.settled.contains(&(window.0, window.1, None))
                });
                self.settled.extend(self.closed.iter().copied());
                let gone = self.windows.keys().filter(|w| self.is_sealed(w.0)).copied();
                for window in gone.collect::<Vec<_>>() {
                    self.windows.remove(&window);
                }
            }
            _ => self.print_all(|oracle, window, key, group| {
                group.changed && !oracle.has_closed(window, key)
            }),
        }
        self.since_trigger = 0;
        self.shown_until = self.watermark();
    }

    fn end(&mut self) {
        match self.run.mode {
            Mode::Complete(_) if self.since_trigger > 0 => self.trigger(),
            Mode::Complete(_) => {}
            mode => self.print_all(|oracle, window, key, group| {
                !oracle.has_closed(window, key) && (mode == Mode::Append || group.changed)
            }),
        }
    }
}

fn instant(seconds: i64) -> String {
    let time = highwater_core::time::Timestamp::from_micros(seconds * 1_000_000);
    format!("\"{time}\"")
}

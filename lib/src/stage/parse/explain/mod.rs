//! `parse --explain`: what became of each line and why, in words.
//!
//! A line goes through the parser as ever. Only then the formats that it was
//! tried in are asked again, one by one: so `parse` itself pays nothing, and
//! an explanation is of what it does.

mod attempt;
mod layers;
mod show;

use std::collections::BTreeMap;
use std::io::Write as _;

use super::{Origin, Parse};
use crate::format::TextParser;
use crate::line::{Line, Reason};
use crate::stream::{
    Operator, Output, Place, RestoreError, SnapshotReader, SnapshotWriter, StageError,
};
use crate::time::Timestamp;
use layers::{Inner, Layers};

/// Explains lines in place of writing their records; see the module's text.
///
/// Columns count bytes from 1, as those of rejected lines do. Of a line in a
/// wrapper (`@raw`, a container's, that of `--rejects`) they count from where
/// its text begins, which is what is shown.
#[derive(Debug)]
pub struct Explain {
    parse: Parse,
    layers: Layers,
    /// What the parser writes to.
    scratch: Output,
    /// The records of the present line.
    rows: Vec<u8>,
    /// How many lines came to what.
    parsed: BTreeMap<&'static str, u64>,
    refused: BTreeMap<Reason, u64>,
}

const NO_HEADER: &str = "what --rejects kept of CSV is without its header: \
                         --columns says what the columns are";

/// What became of a line.
#[derive(Clone, Copy)]
enum Verdict {
    /// It gave records in this format.
    Parsed(&'static str),
    Refused(Reason),
    /// It was of use, but gave no record.
    Nothing(&'static str),
}

impl Explain {
    /// Explains what `parse` does, which must not reshape its records.
    pub fn new(parse: Parse) -> Self {
        Self {
            parse,
            layers: Layers::default(),
            scratch: Output::in_memory(),
            rows: Vec::new(),
            parsed: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// The number of lines, and of those that did not parse.
    pub fn counts(&self) -> (u64, u64) {
        let refused = self.refused.values().sum();
        (self.parsed.values().sum::<u64>() + refused, refused)
    }

    /// Lets `parse` have the line, and says what it made of it.
    fn verdict(
        &mut self,
        inner: &Inner,
        parse: impl FnOnce(&mut Parse, &mut Output) -> Result<(), StageError>,
    ) -> Result<Verdict, StageError> {
        let before = self.scratch.stats.rejected;
        self.rows.clear();
        let parser = &mut self.parse;
        self.scratch.divert(&mut self.rows, |out| parse(parser, out))?;
        let after = self.scratch.stats.rejected;
        let refused = Reason::ALL.iter().find(|why| after[why.index()] > before[why.index()]);
        Ok(match refused {
            Some(reason) => Verdict::Refused(*reason),
            None if !self.rows.is_empty() => Verdict::Parsed(self.parse.took(inner)),
            None if inner.is_part => Verdict::Nothing("part of a line, kept until the rest comes"),
            None if inner.text.trim_ascii().is_empty() => Verdict::Nothing("a blank line"),
            None => Verdict::Nothing("a header"),
        })
    }

    fn explain(&mut self, place: &str, inner: &Inner, verdict: Verdict, out: &mut Vec<u8>) {
        let said = match verdict {
            Verdict::Parsed(format) => {
                *self.parsed.entry(format).or_default() += 1;
                format
            }
            Verdict::Refused(reason) => {
                *self.refused.entry(reason).or_default() += 1;
                reason.name()
            }
            Verdict::Nothing(what) => what,
        };
        out.extend_from_slice(format!("{place}: {said}{}\n", inner.via).as_bytes());
        match verdict {
            Verdict::Parsed(_) => {
                show::line(&inner.text, None, out);
                let origins = self.parse.origins(inner);
                show::records(&self.rows, &origins, out);
            }
            Verdict::Refused(reason) => {
                let attempts = self.parse.attempts(inner, reason);
                show::line(&inner.text, attempts.first().and_then(|first| first.at), out);
                for attempt in &attempts {
                    out.extend_from_slice(format!("  {attempt}\n").as_bytes());
                }
            }
            Verdict::Nothing(_) => show::line(&inner.text, None, out),
        }
    }

    /// Explains the lines whose rest will not come.
    fn give_held(&mut self, out: &mut Output) -> Result<(), StageError> {
        while let Some((inner, time)) = self.layers.unfinished() {
            let verdict = self.verdict(&inner, |parse, out| {
                let line = Line { bytes: &inner.text, fault: None };
                parse.inner(&inner.text, Origin { source: None, time: Some(time) }, line, out)
            })?;
            self.explain(out.source().clone().as_ref(), &inner, verdict, out.row());
            out.finish_row()?;
        }
        Ok(())
    }

    /// How many lines came to what.
    fn summary(&self) -> String {
        let list = |items: Vec<String>| items.join(", ");
        let (lines, refused) = self.counts();
        let parsed = self.parsed.iter().map(|(format, count)| format!("{count} {format}"));
        let mut parts = Vec::new();
        if lines > refused {
            parts.push(format!("{} parsed ({})", lines - refused, list(parsed.collect())));
        }
        if refused > 0 {
            let reasons = self.refused.iter().map(|(reason, count)| format!("{count} {reason}"));
            parts.push(format!("{refused} not ({})", list(reasons.collect())));
        }
        let noun = if lines == 1 { "line" } else { "lines" };
        format!("{lines} {noun}: {}\n", list(parts))
    }
}

impl Operator for Explain {
    fn on_place(&mut self, place: &Place, out: &mut Output) -> Result<(), StageError> {
        if place.line == 0 {
            self.give_held(out)?;
            self.parse.begin_source(place);
        }
        Ok(())
    }

    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        let (kept, inner) = self.layers.unwrap(line);
        if kept.is_some() && self.parse.parser.as_ref().is_some_and(TextParser::awaits_header) {
            return Err(StageError::Failed(NO_HEADER.to_owned()));
        }
        let line = kept.as_deref().map_or(line, |bytes| Line { bytes, fault: None });
        let verdict = self.verdict(&inner, |parse, out| parse.on_record(line, out))?;
        let place = format!("{}:{}", out.source(), out.line_number());
        self.explain(&place, &inner, verdict, out.row());
        out.finish_row()
    }

    fn on_clock(&mut self, now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        self.parse.on_clock(now, &mut self.scratch)
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.give_held(out)?;
        if self.counts().0 > 0 {
            let _ = out.row().write_all(self.summary().trim_end().as_bytes());
            out.finish_row()?;
        }
        Ok(())
    }

    fn is_stateful(&self) -> bool {
        false
    }

    fn snapshot(&self, _state: &mut SnapshotWriter) {}

    fn restore(&mut self, _state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}

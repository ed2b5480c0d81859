//! A query given as flags.

use super::compile::compile;
use super::error::{QueryError, Source};
use super::grouping::{Window, session_spec, window_spec};
use super::plan::Plan;
use super::syntax::{Clauses, Fragment, GroupBy, Item, Reader, Watermark};
use crate::line::Projection;
use crate::time::TimeDelta;

/// The parts of a query as `window`'s flags give them.
///
/// Rows have the window, the keys, then the aggregates.
#[derive(Clone, Copy, Debug)]
pub struct QueryFlags<'a> {
    /// The positional arguments: items as in SELECT, each text one or several.
    pub select: &'a [String],
    /// `--size`; running totals without it.
    pub size: Option<TimeDelta>,
    /// `--slide`; the size without it.
    pub slide: Option<TimeDelta>,
    /// `--start`; zero without it.
    pub start: Option<TimeDelta>,
    /// `--session`: the silence that ends a session; not with the three above.
    pub session: Option<TimeDelta>,
    /// `--watermark`
    pub watermark: Option<TimeDelta>,
    /// `--by`: keys, each text one or several.
    pub by: &'a [String],
    /// `--where`
    pub filter: Option<&'a str>,
    /// `--having`
    pub having: Option<&'a str>,
    /// `--time`: the event time's field.
    pub time_field: &'a str,
}

impl QueryFlags<'_> {
    /// Compiles the flags to the plan that a text saying the same would give.
    ///
    /// The fields that the query reads are added to `projection`.
    ///
    /// # Errors
    ///
    /// Fails at the first mistake; the error names the flag and shows the place
    /// in its text.
    pub fn compile(&self, projection: &mut Projection) -> Result<Plan, QueryError> {
        let window = self.window()?;
        let by_origins = origins("--by", self.by);
        let by = sources(&by_origins, self.by);
        let select_origins = origins("aggregates", self.select);
        let select = sources(&select_origins, self.select);
        let filter = self.filter.map(|text| Source::new("--where", text));
        let having = self.having.map(|text| Source::new("--having", text));
        let window_name = Source::new("--size", "window");

        let keys = each(&by, Reader::fragments)?;
        let mut items = Vec::new();
        if window.is_some() {
            items.push(column(Reader::new(&window_name)?.only_fragment()?));
        }
        items.extend(keys.iter().cloned().map(column));
        items.extend(each(&select, Reader::items)?);
        let clauses = Clauses {
            select: items,
            table: None,
            watermark: self.watermark.map(|delay| Watermark {
                field: self.time_field.to_owned(),
                span: 0..0,
                delay,
            }),
            filter: filter.as_ref().map(fragment).transpose()?,
            group_by: GroupBy::Keys(Vec::new()),
            having: having.as_ref().map(fragment).transpose()?,
        };
        compile(&clauses, &keys, window, self.time_field, projection)
    }

    fn window(&self) -> Result<Option<Window>, QueryError> {
        let lengths = [("--size", self.size), ("--slide", self.slide), ("--start", self.start)];
        if let Some(gap) = self.session {
            if let Some((flag, length)) = lengths.iter().find(|(_, length)| length.is_some()) {
                return Err(wrong(
                    flag,
                    *length,
                    "sessions end by silence",
                    "drop it or --session",
                ));
            }
            let spec = session_spec(gap);
            let spec = spec.map_err(|(message, expected)| {
                wrong("--session", self.session, message, expected)
            })?;
            return Ok(Some(Window { field: self.time_field.to_owned(), spec }));
        }
        let Some(size) = self.size else {
            return match (self.slide, self.start) {
                (None, None) => Ok(None),
                (Some(_), _) => {
                    Err(wrong("--slide", self.slide, "there is no window to slide", NO_SIZE))
                }
                (None, _) => {
                    Err(wrong("--start", self.start, "there is no window to start", NO_SIZE))
                }
            };
        };
        let spec =
            window_spec(size, self.slide, self.start).map_err(|(index, message, expected)| {
                let (flag, length) = lengths[index];
                wrong(flag, length, message, &expected)
            })?;
        Ok(Some(Window { field: self.time_field.to_owned(), spec }))
    }
}

/// An error about a flag's length.
fn wrong(flag: &str, length: Option<TimeDelta>, message: &str, expected: &str) -> QueryError {
    let text = length.map_or_else(String::new, |length| length.to_string());
    Source::new(flag, &text).error(0..text.len(), message, expected)
}

const NO_SIZE: &str = "expected --size too";

/// What errors call each of the texts of one flag: by its number if there are
/// several, since the place within a text does not say which.
fn origins(flag: &str, texts: &[String]) -> Vec<String> {
    let name = |number| match texts.len() {
        1 => flag.to_owned(),
        _ => format!("{flag} #{number}"),
    };
    (1..=texts.len()).map(name).collect()
}

fn sources<'a>(origins: &'a [String], texts: &'a [String]) -> Vec<Source<'a>> {
    origins.iter().zip(texts).map(|(origin, text)| Source::new(origin, text)).collect()
}

fn each<'a, T>(
    sources: &'a [Source<'a>],
    read: impl Fn(Reader<'a>) -> Result<Vec<T>, QueryError>,
) -> Result<Vec<T>, QueryError> {
    let mut all = Vec::new();
    for source in sources {
        all.extend(read(Reader::new(source)?)?);
    }
    Ok(all)
}

fn column(value: Fragment<'_>) -> Item<'_> {
    Item { value, alias: None }
}

fn fragment<'a>(source: &'a Source<'a>) -> Result<Fragment<'a>, QueryError> {
    Reader::new(source)?.only_fragment()
}

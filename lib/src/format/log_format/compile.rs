//! From the pieces of a log format to the steps that read a line.

use super::Member;
use super::config::Config;
use super::split::{Ending, Step};
use super::variable::{Kind, Token, Variable};
use crate::format::NAMES;
use crate::line::json;
use crate::query::QueryError;

/// What a log format comes down to.
pub(super) struct Program {
    pub(super) prefix: Vec<u8>,
    pub(super) variables: Vec<Variable>,
    /// A step for each variable.
    pub(super) steps: Vec<Step>,
}

/// Puts every variable between two texts.
///
/// # Errors
///
/// Fails where a line would not tell where a variable ends, and if there is no
/// variable.
pub(super) fn compile(tokens: Vec<Token>, config: &Config) -> Result<Program, QueryError> {
    let (prefix, mut pieces) = pieces(tokens);
    if pieces.is_empty() {
        let expected = "expected $remote_addr and the like (nginx) or %h and the like (Apache)";
        let all = 0..config.bytes.len();
        return Err(config.error(all, "a log format without variables", expected));
    }
    for (variable, _) in &pieces {
        if matches!(variable.own.as_str(), "" | "@" | "@raw" | "@source") {
            let expected = "expected another name: the stream uses this one itself";
            return Err(config.error(variable.span.clone(), "a reserved name", expected));
        }
    }
    let last = pieces.len() - 1;
    let end = pieces[last].1.trim_ascii_end().len();
    pieces[last].1.truncate(end);
    for index in 0..last {
        check(&pieces[index], &pieces[index + 1].0, config)?;
    }
    let mut steps = Vec::new();
    let mut before: &[u8] = &prefix;
    for (index, (variable, behind)) in pieces.iter().enumerate() {
        steps.push(Step::new(
            ending(variable, before, behind, index == last, config),
            variable,
            &config.written(variable),
            behind,
        ));
        before = behind;
    }
    let variables = pieces.into_iter().map(|(variable, _)| variable).collect();
    Ok(Program { prefix, variables, steps })
}

/// The text in front of all, and each variable with the text behind it.
fn pieces(tokens: Vec<Token>) -> (Vec<u8>, Vec<(Variable, Vec<u8>)>) {
    let mut prefix = Vec::new();
    let mut pieces: Vec<(Variable, Vec<u8>)> = Vec::new();
    for token in tokens {
        match (token, pieces.last_mut()) {
            (Token::Text(text), Some((_, behind))) => behind.extend(text),
            (Token::Text(text), None) => prefix.extend(text),
            (Token::Variable(query), Some((path, behind)))
                if behind.is_empty() && is_url(path, &query) =>
            {
                path.span.end = query.span.end;
            }
            (Token::Variable(variable), _) => pieces.push((variable, Vec::new())),
        }
    }
    (prefix, pieces)
}

/// Whether two variables with nothing between them are a URL: `%U%q`, or
/// `$uri$is_args$args`.
fn is_url(path: &Variable, query: &Variable) -> bool {
    path.own == "uri" && matches!(query.own.as_str(), "query" | "is_args" | "args" | "query_string")
}

/// Checks that a line tells where a variable ends.
fn check(
    (variable, behind): &(Variable, Vec<u8>),
    next: &Variable,
    config: &Config,
) -> Result<(), QueryError> {
    if behind.is_empty() {
        let [one, other] = [variable, next].map(|variable| config.written(variable));
        let message = format!("nothing stands between {one} and {other}");
        let expected = "expected a blank or another text in front, so that lines can be told apart";
        return Err(config.error(next.span.clone(), &message, expected));
    }
    if variable.has_blanks() && behind.iter().all(u8::is_ascii_whitespace) {
        let written = config.written(variable);
        let message = format!("{written} may hold blanks, and a blank stands behind it");
        let expected = "expected it in quotes; --format regex reads what is not";
        return Err(config.error(variable.span.clone(), &message, expected));
    }
    Ok(())
}

/// What ends a variable's value.
fn ending(
    variable: &Variable,
    before: &[u8],
    behind: &[u8],
    is_last: bool,
    config: &Config,
) -> Ending {
    let in_quotes = before.ends_with(b"\"") && behind.starts_with(b"\"");
    if in_quotes && !config.raw {
        Ending::Quote
    } else if is_last {
        Ending::Line
    } else if variable.is_time() && behind.starts_with(b" ") {
        Ending::Time
    } else if variable.is_list() && behind.starts_with(b" ") {
        Ending::List
    } else {
        Ending::Text
    }
}

/// Which step reads the time, and what is written of the others, in order.
pub(super) fn members(
    variables: &[Variable],
    time_field: Option<&str>,
) -> (Option<usize>, Vec<Member>) {
    let time = match time_field {
        Some(field) => variables.iter().position(|variable| variable.is_called(field)),
        None => variables.iter().position(Variable::is_time),
    };
    let mut members: Vec<(String, Member)> = Vec::new();
    for step in 0..variables.len() {
        let Some((name, kind)) = called(variables, step, time) else { continue };
        if members.iter().all(|(other, _)| *other != name) {
            let key = if matches!(kind, Kind::Request) { Vec::new() } else { key(&name) };
            members.push((name, Member { key, step, kind }));
        }
    }
    let place = |name: &str| NAMES.iter().position(|known| *known == name);
    members.sort_by_key(|(name, _)| place(name).unwrap_or(NAMES.len()));
    (time, members.into_iter().map(|(_, member)| member).collect())
}

/// The name under which a step's value is written, and how; `None` if it is not.
fn called(variables: &[Variable], step: usize, time: Option<usize>) -> Option<(String, Kind)> {
    let variable = &variables[step];
    if time == Some(step) {
        return None;
    }
    let rivals = || variables.iter().enumerate().filter(|(other, _)| Some(*other) != time);
    let is_best = match variable.name.as_str() {
        "timestamp" => false,
        // The request has them all.
        "method" | "url" | "protocol"
            if variables.iter().any(|other| matches!(other.kind, Kind::Request)) =>
        {
            false
        }
        name => rivals()
            .filter(|(_, other)| other.name == name)
            .all(|(other, rival)| (variable.rank, step) <= (rival.rank, other)),
    };
    let kind = if variable.is_time() { Kind::Text } else { variable.kind.clone() };
    if is_best {
        return Some((variable.name.clone(), kind));
    }
    // What is there twice, and what stands for the same, is written once.
    let is_twin = |other: &Variable| other.own == variable.own && other.name == variable.name;
    let is_repeated =
        variables.iter().enumerate().any(|(other, twin)| other != step && is_twin(twin));
    let is_free = !is_repeated && variable.own != "timestamp" && !matches!(kind, Kind::Request);
    let is_free = is_free && rivals().all(|(_, other)| other.name != variable.own);
    is_free.then(|| (variable.own.clone(), kind))
}

fn key(name: &str) -> Vec<u8> {
    let mut key = b",".to_vec();
    json::write_string(name.as_bytes(), &mut key);
    key.push(b':');
    key
}

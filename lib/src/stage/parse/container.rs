//! Lines that a container runtime has wrapped.

use super::{Origin, Parse};
use crate::format::{Containers, Unwrapped};
use crate::line::{Line, Reason};
use crate::stream::{Output, Place, StageError};

impl Parse {
    /// Parses `text`, which came as `line`, out of its container's wrapper if it
    /// is in one.
    #[inline]
    pub(super) fn plain(
        &mut self,
        text: &[u8],
        source: Option<&[u8]>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let mut containers = std::mem::take(&mut self.containers);
        let result = self.unwrapped(containers.cri(text, source), source, line, out);
        self.containers = containers;
        result.unwrap_or_else(|| self.inner(text, Origin { source, time: None }, line, out))
    }

    /// Parses what was in a container's wrapper; `None` if nothing was.
    #[inline]
    fn unwrapped(
        &mut self,
        unwrapped: Unwrapped<'_>,
        source: Option<&[u8]>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Option<Result<(), StageError>> {
        const TOO_LONG: &str = "put together from its parts, the line is longer than 1 MiB";
        match unwrapped {
            Unwrapped::No => None,
            Unwrapped::Part => Some(Ok(())),
            Unwrapped::TooLong => Some(out.reject(Reason::TooLong, TOO_LONG, line)),
            Unwrapped::Line(text, _) if text.trim_ascii().is_empty() => Some(Ok(())),
            Unwrapped::Line(text, time) => {
                Some(self.inner(text, Origin { source, time: Some(time) }, line, out))
            }
        }
    }

    /// Parses a line of Docker's json-file, if it is one.
    #[inline]
    pub(super) fn docker(
        &mut self,
        line: Line<'_>,
        out: &mut Output,
    ) -> Option<Result<(), StageError>> {
        let (source, members) = docker_members(line.bytes)?;
        let mut containers = std::mem::take(&mut self.containers);
        let result = self.unwrapped(containers.docker(members, source), source, line, out);
        self.containers = containers;
        result
    }
}

impl Parse {
    /// Parses the lines whose rest will not come: their file or the data have
    /// ended.
    pub(super) fn give_held(&mut self, out: &mut Output) -> Result<(), StageError> {
        let mut containers = std::mem::take(&mut self.containers);
        let result = self.reshaped(out, |parse, out| {
            while let Some((text, time)) = containers.unfinished() {
                let line = Line { bytes: text, fault: None };
                parse.inner(text, Origin { source: None, time: Some(time) }, line, out)?;
            }
            Ok(())
        });
        self.containers = containers;
        result
    }

    /// Goes on to a file from whose beginning lines come.
    pub(super) fn begin_source(&mut self, place: &Place) {
        self.containers = Containers::default();
        self.calendar.begin_source(place.modified);
    }
}

/// Splits a line that may be of Docker's json-file into the value of its
/// `@source`, if it has one, and the other members.
#[inline]
pub(super) fn docker_members(line: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let members = line.trim_ascii_start().strip_prefix(b"{")?;
    if members.starts_with(br#""log":""#) {
        return Some((None, members));
    }
    let behind = members.strip_prefix(br#""@source":"#)?;
    let end = memchr::memmem::find(behind, br#"},"log":""#)? + 1;
    Some((Some(&behind[..end]), &behind[end + 1..]))
}

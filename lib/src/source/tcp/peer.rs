//! One of the peers that have connected.

use std::io::{self, ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};

use super::whole_lines::WholeLines;
use super::{keep_alive, place_of};
use crate::stream::Place;

/// A connected peer and what it has sent that has not been handed on.
#[derive(Debug)]
pub(super) struct Peer {
    stream: TcpStream,
    origin: Place,
    lines: WholeLines,
    is_open: bool,
}

impl Peer {
    /// Fails if the connection is gone already.
    pub(super) fn new(stream: TcpStream, address: SocketAddr, max_line: usize) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        keep_alive(&stream);
        let lines = WholeLines::new(max_line);
        Ok(Self { stream, origin: place_of(address), lines, is_open: true })
    }

    /// Whether more may come.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether there are whole lines to hand on.
    pub(super) fn has_lines(&self) -> bool {
        self.lines.has_more()
    }

    /// The peer as the place of its next line.
    pub(super) fn place(&self) -> Place {
        Place { line: self.lines.line(), offset: self.lines.offset(), ..self.origin.clone() }
    }

    /// Takes what has come, at most as much as `chunk` holds; returns how much
    /// that was. However a peer leaves, what it sent before counts.
    pub(super) fn receive(&mut self, chunk: &mut [u8]) -> usize {
        match self.stream.read(chunk) {
            Ok(count) if count > 0 => {
                self.lines.push(&chunk[..count]);
                return count;
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => {
                self.is_open = false;
                self.lines.end();
            }
        }
        0
    }

    /// Hands on whole lines, as much as `space` holds.
    pub(super) fn give(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.lines.give(space)
    }

    /// What becomes readable when more has come.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

//! One of the peers that have connected.

use std::io::{self, ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

use super::{keep_alive, place_of};
use crate::source::held::{At, Held};
use crate::stream::Place;

/// A connected peer and what it has sent that has not been handed on.
#[derive(Debug)]
pub(super) struct Peer {
    stream: TcpStream,
    origin: Place,
    pub(super) held: Held,
    is_open: bool,
}

impl Peer {
    /// Fails if the connection is gone already.
    pub(super) fn new(stream: TcpStream, address: SocketAddr, held: Held) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        keep_alive(&stream);
        Ok(Self { stream, origin: place_of(address), held, is_open: true })
    }

    /// Whether more may come.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The peer as the place of its next line.
    pub(super) fn place(&self) -> Place {
        let At { offset, line, .. } = self.held.begin();
        Place { line, offset, ..self.origin.clone() }
    }

    /// Takes what has come, by way of `chunk` and at most as much as that holds,
    /// or gives up waiting for more of a record; true if there are records to
    /// hand on.
    pub(super) fn has_records(&mut self, chunk: &mut [u8], taken: &mut u64) -> bool {
        let count = self.receive(chunk);
        *taken += count as u64;
        let is_due = |due| count == 0 && due <= Instant::now();
        self.held.take_whole() || self.held.due().is_some_and(is_due) && self.held.release()
    }

    /// Takes what has come, at most as much as `chunk` holds; returns how much
    /// that was. However a peer leaves, what it sent before counts.
    fn receive(&mut self, chunk: &mut [u8]) -> usize {
        match self.stream.read(chunk) {
            Ok(count) if count > 0 => {
                self.held.push(&chunk[..count]);
                return count;
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => {
                self.is_open = false;
                self.held.end();
            }
        }
        0
    }

    /// What becomes readable when more has come.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

//! A connection to one peer, whose close is the end of the input.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, BorrowedFd};

use super::{Address, TcpError, keep_alive, place_of};
use crate::source::Source;
use crate::stream::{Next, Place, StageError};

/// Reads what a TCP peer sends, to the end.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// The peer, until reading begins.
    place: Option<Place>,
    taken: u64,
}

impl Connection {
    /// Connects; tries all addresses that the host has.
    ///
    /// # Errors
    ///
    /// Fails if the host is not known, cannot be reached, or refuses.
    pub fn open(to: &Address) -> Result<Self, TcpError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::ConnectionRefused => TcpError::Refused(to.clone()),
            _ => TcpError::Connect { to: to.clone(), source },
        };
        let stream = TcpStream::connect(to.as_str()).map_err(failed)?;
        let peer = stream.peer_addr().map_err(failed)?;
        keep_alive(&stream);
        Ok(Self { stream, place: Some(place_of(peer)), taken: 0 })
    }
}

impl Source for Connection {
    fn next(&mut self) -> Result<Next, StageError> {
        Ok(self.place.take().map_or(Next::End, Next::Place))
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(space)?;
        self.taken += count as u64;
        Ok(count)
    }

    fn descriptors<'a>(&'a self, into: &mut Vec<BorrowedFd<'a>>) {
        into.push(self.stream.as_fd());
    }

    fn taken(&self) -> u64 {
        self.taken
    }
}

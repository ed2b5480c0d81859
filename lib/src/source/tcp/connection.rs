//! A connection to one peer, whose close is the end of the input.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use super::{Address, TcpError, keep_alive, place_of};
use crate::source::Source;
use crate::stream::{Next, StageError};

/// Reads what a TCP peer sends, to the end.
#[derive(Debug)]
pub struct Connection {
    to: Address,
    state: State,
    taken: u64,
}

#[derive(Debug)]
enum State {
    /// A thread of its own looks up the host and connects, which may take
    /// minutes. `settled` is closed when it is through.
    Connecting { stream: Receiver<io::Result<TcpStream>>, settled: UnixStream },
    /// Connected, and being read.
    Open(TcpStream),
}

impl Connection {
    /// Begins to connect; tries all addresses that the host has. That the host
    /// is not known, cannot be reached, or refuses, the [source](Source::next)
    /// tells.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    pub fn begin(to: &Address) -> io::Result<Self> {
        let (settled, unsettled) = UnixStream::pair()?;
        let (sender, stream) = channel();
        let address = to.clone();
        thread::Builder::new().name("connect".to_owned()).spawn(move || {
            // Nobody waits for it any more if the run has been stopped.
            let _ = sender.send(TcpStream::connect(address.as_str()));
            drop(unsettled);
        })?;
        Ok(Self { to: to.clone(), state: State::Connecting { stream, settled }, taken: 0 })
    }

    fn failed(&self, source: io::Error) -> StageError {
        StageError::Source(Box::new(match source.kind() {
            io::ErrorKind::ConnectionRefused => TcpError::Refused(self.to.clone()),
            _ => TcpError::Connect { to: self.to.clone(), source },
        }))
    }
}

impl Source for Connection {
    fn next(&mut self) -> Result<Next, StageError> {
        let State::Connecting { stream, .. } = &self.state else { return Ok(Next::End) };
        let connected = match stream.try_recv() {
            Err(TryRecvError::Empty) => return Ok(Next::Pending),
            Err(TryRecvError::Disconnected) => Err(io::ErrorKind::Other.into()),
            Ok(connected) => connected,
        };
        let opened = connected.and_then(|stream| Ok((stream.peer_addr()?, stream)));
        let (peer, stream) = opened.map_err(|error| self.failed(error))?;
        keep_alive(&stream);
        self.state = State::Open(stream);
        Ok(Next::Place(place_of(peer)))
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let State::Open(stream) = &mut self.state else { return Ok(0) };
        let count = stream.read(space)?;
        self.taken += count as u64;
        Ok(count)
    }

    fn descriptors<'a>(&'a self, into: &mut Vec<BorrowedFd<'a>>) {
        into.push(match &self.state {
            State::Connecting { settled, .. } => settled.as_fd(),
            State::Open(stream) => stream.as_fd(),
        });
    }

    fn taken(&self) -> u64 {
        self.taken
    }
}

//! Any number of peers that connect, each read in its turn.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::peer::Peer;
use super::{Address, TcpError};
use crate::line::Framing;
use crate::source::Source;
use crate::source::held::{At, Held};
use crate::stream::{Next, Place, StageError};

/// What one peer may bring in one turn.
const TURN: usize = 256 * 1024;
/// So many new peers are let in between two turns, so that those who come and
/// go cannot keep the others from being read.
const ADMITTED: usize = 64;
/// A system that has no room for another connection is asked again after this.
const RETRY: Duration = Duration::from_millis(200);

/// Reads records from all peers that connect.
///
/// Peers take turns: each hands on the whole records of what it has sent, at
/// most 256 KiB at a time, so none waits for another one's end. Lines of
/// different peers never mix, nor do they make a record. It has no end of its
/// own.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// In the order of their turns.
    peers: VecDeque<Peer>,
    /// The peer whose turn it is.
    current: Option<Peer>,
    chunk: Box<[u8]>,
    framing: Framing,
    max_line: usize,
    taken: u64,
    /// When to let in peers again, after the system had no room for one.
    retry: Option<Instant>,
    has_been_full: bool,
    messages: Vec<String>,
}

impl Listener {
    /// Waits for peers at an address; port 0 is any that is free. Which it is,
    /// is the first of its [messages](Source::messages).
    ///
    /// What each sends is cut into records by `framing`; what has no end is not
    /// kept beyond `max_line` bytes.
    ///
    /// # Errors
    ///
    /// Fails if the address is not ours or in use.
    pub fn bind(on: &Address, framing: Framing, max_line: usize) -> Result<Self, TcpError> {
        let failed = |source| TcpError::Listen { on: on.clone(), source };
        let socket = TcpListener::bind(on.as_str()).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self {
            socket,
            peers: VecDeque::new(),
            current: None,
            chunk: vec![0; TURN].into(),
            framing,
            max_line,
            taken: 0,
            retry: None,
            has_been_full: false,
            messages: vec![format!("listening on {address}")],
        })
    }

    /// Lets in the peers that wait outside.
    fn admit(&mut self) {
        if self.retry.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.retry = None;
        for _ in 0..ADMITTED {
            match self.socket.accept() {
                Ok((stream, address)) => {
                    let held = Held::new(self.framing.clone(), self.max_line, At::default());
                    self.peers.extend(Peer::new(stream, address, held));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if is_lack_of_room(&error) => return self.wait_for_room(),
                // Whoever it was is gone already; see accept(2).
                Err(_) => {}
            }
        }
    }

    /// The socket goes on saying that somebody waits: it is not to be polled
    /// until there may be room.
    fn wait_for_room(&mut self) {
        self.retry = Some(Instant::now() + RETRY);
        if !self.has_been_full {
            self.has_been_full = true;
            let count = self.peers.len();
            self.messages.push(format!(
                "no room for more than {count} connections: further peers wait until one \
                 leaves (see ulimit -n)"
            ));
        }
    }
}

fn is_lack_of_room(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

impl Source for Listener {
    fn next(&mut self) -> Result<Next, StageError> {
        if let Some(mut peer) = self.current.take().filter(Peer::is_open) {
            peer.held.forget_given();
            self.peers.push_back(peer);
        }
        self.admit();
        for _ in 0..self.peers.len() {
            let Some(mut peer) = self.peers.pop_front() else { break };
            if peer.has_records(&mut self.chunk, &mut self.taken) {
                let place = peer.place();
                self.current = Some(peer);
                return Ok(Next::Place(place));
            }
            if peer.is_open() {
                self.peers.push_back(peer);
            }
        }
        Ok(Next::Pending)
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        Ok(self.current.as_mut().map_or(0, |peer| peer.held.give(space)))
    }

    fn next_held(&mut self) -> Option<Place> {
        if let Some(mut peer) = self.current.take().filter(|peer| !peer.held.has_taken()) {
            peer.held.forget_given();
            self.peers.push_front(peer);
        }
        let index = self.peers.iter_mut().position(|peer| peer.held.release())?;
        self.current = self.peers.remove(index);
        self.current.as_ref().map(Peer::place)
    }

    fn is_ready(&self) -> bool {
        self.current.as_ref().is_some_and(|peer| peer.held.has_taken())
    }

    fn descriptors<'a>(&'a self, into: &mut Vec<BorrowedFd<'a>>) {
        if self.retry.is_none() {
            into.push(self.socket.as_fd());
        }
        into.extend(self.peers.iter().chain(&self.current).map(Peer::fd));
    }

    fn looks_at(&self) -> Option<Instant> {
        let due = self.peers.iter().chain(&self.current).filter_map(|peer| peer.held.due());
        self.retry.into_iter().chain(due).min()
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }
}

//! Lines from TCP peers: one that is connected to, or any number that connect.

mod address;
mod connection;
mod listener;
mod peer;

use std::io;
use std::net::{SocketAddr, TcpStream};

use crate::stream::{Place, PlaceKind};

pub use address::{Address, ParseAddressError};
pub use connection::Connection;
pub use listener::Listener;

/// Why there is no connection to read from. The program prints it with its
/// cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TcpError {
    /// The host is there, but no program waits for connections at the port.
    #[error(
        "nothing listens at {0} (connection refused): start the sender first, or let it \
         connect to --listen"
    )]
    Refused(Address),
    /// Any other reason why there is no connection.
    #[error("cannot connect to {to}")]
    Connect {
        /// Where to.
        to: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The address cannot be had.
    #[error("cannot listen on {on}")]
    Listen {
        /// The address asked for.
        on: Address,
        /// What the system said.
        source: io::Error,
    },
}

/// The place that is the other end of a connection. An IPv4 address looks the
/// same whichever family of sockets it came through.
fn place_of(address: SocketAddr) -> Place {
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    Place::new(&address.to_string(), PlaceKind::Peer)
}

/// Lets the system find out that a peer has vanished without a word, whose
/// connection would otherwise stay open for good. A system that cannot is no
/// reason to refuse the connection.
fn keep_alive(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_keepalive(stream, true);
}

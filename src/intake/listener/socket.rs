//! The listening sockets: bound with a long backlog, and accepting that survives a machine without a free file.
//!
//! Leaves who may come in to `door`. Invariant: an error of `accept` never ends the listener and never makes it spin.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::settings::ACCEPT_PAUSE;
use super::settings::BACKLOG;
use super::settings::ListenerSettings;
use super::status::ListenerStatus;
use super::status::Quiet;

/// The listener cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// Another program has the port.
    #[error(
        "port {} is in use, perhaps by an MQTT broker on this machine; set {setting} to another address, or [listener] enabled = false (and name the broker as [[broker]])",
        address.port()
    )]
    InUse {
        /// The address.
        address: SocketAddr,
        /// The setting it comes from.
        setting: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen for MQTT on {address}; set {setting} to an address of this machine")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The setting it comes from.
        setting: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No address at all.
    #[error("the listener has no address; set listener.listen or listener.tls_listen")]
    Nowhere,
}

/// A listener whose ports are taken, and which accepts nothing yet.
pub struct Listener {
    pub(super) settings: ListenerSettings,
    pub(super) doorway: Doorway,
}

impl Listener {
    /// Takes the ports.
    ///
    /// # Errors
    /// When a port is in use, or an address is none of this machine.
    pub fn bind(settings: ListenerSettings) -> Result<Self, ListenerError> {
        let plain = settings
            .listen
            .map(|address| bind(address, "listener.listen"))
            .transpose()?;
        let tls = match &settings.tls {
            Some((address, acceptor)) => {
                Some((bind(*address, "listener.tls_listen")?, acceptor.clone()))
            }
            None => None,
        };
        if plain.is_none() && tls.is_none() {
            return Err(ListenerError::Nowhere);
        }
        Ok(Self {
            settings,
            doorway: Doorway {
                plain,
                tls,
                log: Quiet::default(),
            },
        })
    }

    /// Where clients without TLS connect.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.doorway.address()
    }

    /// Where clients with TLS connect.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.doorway.tls_address()
    }
}

fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ListenerError> {
    listen(address).map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            ListenerError::InUse { address, setting }
        } else {
            ListenerError::Address {
                address,
                setting,
                source,
            }
        }
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    // Connections inherit it: the kernel notices, in hours, that a silent client's machine is gone.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The sockets that connections come in by.
pub(super) struct Doorway {
    plain: Option<TcpListener>,
    tls: Option<(TcpListener, TlsAcceptor)>,
    log: Quiet,
}

impl Doorway {
    fn address(&self) -> Option<SocketAddr> {
        self.plain.as_ref()?.local_addr().ok()
    }

    fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref()?.0.local_addr().ok()
    }

    /// Makes the addresses known.
    pub(super) fn tell(&self, status: &ListenerStatus) {
        if let Some(address) = self.address() {
            status.plain.set(address).ok();
        }
        if let Some(address) = self.tls_address() {
            status.tls.set(address).ok();
        }
    }

    /// The next connection, and how it is to be answered when it wants TLS. Dropped while it waits, it loses none.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr, Option<TlsAcceptor>) {
        loop {
            let (accepted, acceptor) = tokio::select! {
                accepted = accept(self.plain.as_ref()) => (accepted, None),
                accepted = accept(self.tls.as_ref().map(|(listener, _)| listener)) => {
                    (accepted, self.tls.as_ref().map(|(_, acceptor)| acceptor.clone()))
                }
            };
            match accepted {
                Ok((socket, peer)) => return (socket, peer, acceptor),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if let Some(left_out) = self.log.may_speak() {
                        tracing::error!(%error, left_out, "listener: no connection can be accepted; raise the limit of open files (ulimit -n, LimitNOFILE=)");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Errors that belong to the connection that was just coming in; the next one may be accepted at once.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

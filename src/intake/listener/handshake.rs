//! From an accepted socket to a connection that may publish: TLS, CONNECT, login, the takeover of a client id, CONNACK.
//!
//! Leaves everything after CONNACK to the connection. Invariants: a stranger holds little and not for long; the will of the
//! connection that is taken over is handed to the journal before the newcomer is let in; whoever is not let in is told why as
//! far as the protocol has words for it, and counted.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use smol_str::format_smolstr;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio::time::timeout_at;
use tokio_rustls::TlsAcceptor;

use super::House;
use super::access::Denied;
use super::access::Grant;
use super::access::LoginAttempt;
use super::answer;
use super::answer::Offer;
use super::answer::Refused;
use super::buffer;
use super::clients::Client;
use super::clients::Introduction;
use super::clients::Order;
use super::connection::Connection;
use super::connection::Membership;
use super::door::Pass;
use super::finish::goodbye;
use super::finish::write;
use super::packet::Connect;
use super::packet::PacketError;
use super::packet::Version;
use super::packet::next_connect;
use super::status::Refusal;
use crate::intake::status::add;

/// One accepted socket from its first byte to its last.
pub(super) async fn serve(
    house: Arc<House>,
    socket: TcpStream,
    peer: SocketAddr,
    pass: Pass,
    tls: Option<TlsAcceptor>,
    mut stopping: watch::Receiver<bool>,
) {
    // Acknowledgements are small and somebody waits for each.
    socket.set_nodelay(true).ok();
    let Some(acceptor) = tls else {
        let entry = Entry::new(house, peer, pass);
        // In a box of its own, which is freed before the long life begins: an idle connection costs what `run` needs.
        let connection = tokio::select! {
            biased;
            () = stopped(&mut stopping) => None,
            connection = Box::pin(entry.greet(socket)) => connection,
        };
        drop(stopping);
        if let Some(connection) = connection {
            connection.run().await;
        }
        return;
    };
    Box::pin(async move {
        let connection = tokio::select! {
            biased;
            () = stopped(&mut stopping) => None,
            connection = greet_tls(house, socket, peer, pass, acceptor) => connection,
        };
        drop(stopping);
        if let Some(connection) = connection {
            connection.run().await;
        }
    })
    .await;
}

type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

async fn greet_tls(
    house: Arc<House>,
    socket: TcpStream,
    peer: SocketAddr,
    pass: Pass,
    acceptor: TlsAcceptor,
) -> Option<Connection<TlsStream>> {
    let deadline = Instant::now() + house.limits.handshake;
    match timeout_at(deadline, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => {
            let certificate = super::tls::common_name(stream.get_ref().1);
            let entry = Entry {
                house,
                peer,
                pass,
                certificate,
                tls: true,
                deadline,
            };
            entry.greet(stream).await
        }
        Ok(Err(error)) => {
            house.refused(Refusal::Tls, peer, &error);
            None
        }
        Err(_) => {
            house.refused(Refusal::Handshake, peer, &"TLS was not agreed upon in time");
            None
        }
    }
}

/// Returns when we stop, or when nobody is left who could say so.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stop| *stop).await.map(|_| ()));
}

/// Someone at the door.
pub(super) struct Entry {
    house: Arc<House>,
    peer: SocketAddr,
    pass: Pass,
    certificate: Option<String>,
    tls: bool,
    deadline: Instant,
}

/// Why an entry ends: how it is counted, what the client is told, and what the log says.
struct No {
    refusal: Refusal,
    told: Option<(Version, Refused)>,
    why: String,
}

impl No {
    /// Without an answer.
    fn silent(refusal: Refusal, why: &str) -> Self {
        Self {
            refusal,
            told: None,
            why: why.into(),
        }
    }

    fn told(refusal: Refusal, version: Version, code: Refused, why: String) -> Self {
        Self {
            refusal,
            told: Some((version, code)),
            why,
        }
    }

    fn busy(version: Version, why: &str) -> Self {
        let code = Refused {
            v3: Some(3),
            v5: 0x89,
        };
        Self::told(Refusal::Busy, version, code, why.into())
    }
}

impl Entry {
    /// Someone without TLS; its time runs from now on.
    pub(super) fn new(house: Arc<House>, peer: SocketAddr, pass: Pass) -> Self {
        Self {
            deadline: Instant::now() + house.limits.handshake,
            house,
            peer,
            pass,
            certificate: None,
            tls: false,
        }
    }

    /// The connection, once it is let in.
    pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        mut stream: S,
    ) -> Option<Connection<S>> {
        match self.admit(&mut stream).await {
            Ok(admitted) => Some(Connection::new(admitted, self.pass, stream)),
            Err(no) => {
                self.house.refused(no.refusal, self.peer, &no.why);
                if let Some((version, code)) = no.told {
                    let mut out = Vec::new();
                    answer::refuse(&mut out, version, code);
                    if !out.is_empty() {
                        goodbye(&mut stream, &out, self.house.limits.linger).await;
                    }
                }
                None
            }
        }
    }

    async fn admit<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> Result<Admitted, No> {
        let (connect, rest) = self.read_connect(stream).await?;
        let version = connect.version;
        if connect.has_method {
            let code = Refused { v3: None, v5: 0x8C };
            let why = "an authentication method was asked for; there is none".to_owned();
            return Err(No::told(Refusal::Method, version, code, why));
        }
        let is_assigned = connect.client_id.is_empty();
        let id = if is_assigned {
            format_smolstr!("auto-{:016x}", rand::random::<u64>())
        } else {
            connect.client_id.clone()
        };
        let grant = self.login(&connect, &id).await?;
        if let Some(will) = &connect.will
            && !grant.may_publish(&will.topic)
        {
            let code = Refused {
                v3: Some(5),
                v5: answer::NOT_AUTHORIZED,
            };
            let why = format!(
                "client '{id}' may not publish to the topic of its will, {}",
                will.topic
            );
            return Err(No::told(Refusal::WillTopic, version, code, why));
        }
        self.pass.known();
        let client = Arc::new(Client::new(Introduction {
            id: id.clone(),
            user: grant.user.clone(),
            peer: self.peer,
            version,
            tls: self.tls,
            keep_alive: connect.keep_alive,
        }));
        let membership = self.enter(client, version).await?;
        let mut out = Vec::new();
        let offer = Offer {
            receive_maximum: self.house.limits.inflight_messages,
            packet_bytes: u32::try_from(self.house.limits.packet_bytes).unwrap_or(u32::MAX),
            assigned_id: is_assigned.then_some(&*id),
        };
        answer::welcome(&mut out, version, &offer);
        if write(stream, &out, self.house.limits.write).await.is_err() {
            return Err(No::silent(
                Refusal::Gone,
                "the client went before it was let in",
            ));
        }
        add(&self.house.status.connects, 1);
        Ok(Admitted {
            house: Arc::clone(&self.house),
            membership,
            grant,
            connect,
            rest,
        })
    }

    /// The CONNECT, and what came behind it.
    async fn read_connect<S: AsyncRead + Unpin>(
        &self,
        stream: &mut S,
    ) -> Result<(Connect, BytesMut), No> {
        let mut arrived = BytesMut::new();
        loop {
            match next_connect(&mut arrived, self.house.limits.connect_bytes) {
                Ok(Some(connect)) => return Ok((connect, buffer::keep(&arrived))),
                Ok(None) => {}
                Err((version, error)) => {
                    let (refusal, v3) = match error {
                        PacketError::Version => (Refusal::Version, Some(1)),
                        PacketError::ClientId => (Refusal::ClientId, Some(2)),
                        _ => (Refusal::Malformed, None),
                    };
                    let code = Refused {
                        v3,
                        v5: error.reason(),
                    };
                    return Err(No::told(refusal, version, code, error.to_string()));
                }
            }
            match timeout_at(self.deadline, buffer::read(stream)).await {
                Ok(Ok(bytes)) if !bytes.is_empty() => {
                    arrived.extend_from_slice(&bytes);
                    buffer::give_back(bytes);
                }
                Ok(_) => {
                    return Err(No::silent(
                        Refusal::Gone,
                        "the client went before its CONNECT",
                    ));
                }
                Err(_) => return Err(No::silent(Refusal::Handshake, "no CONNECT in time")),
            }
        }
    }

    async fn login(&self, connect: &Connect, id: &str) -> Result<Grant, No> {
        let attempt = LoginAttempt {
            client_id: id,
            username: connect.username.as_deref(),
            password: connect.password.as_deref(),
            certificate: self.certificate.as_deref(),
            peer: self.peer.ip().to_canonical(),
        };
        let limit = self.house.limits.login;
        match timeout(limit, self.house.access.login(&attempt)).await {
            Ok(Ok(grant)) => Ok(grant),
            Ok(Err(denied @ Denied::BadCredentials)) => {
                let code = Refused {
                    v3: Some(4),
                    v5: 0x86,
                };
                let why = format!("client '{id}': {denied}");
                Err(No::told(Refusal::Credentials, connect.version, code, why))
            }
            Ok(Err(denied @ Denied::Busy)) => Err(No::busy(
                connect.version,
                &format!("client '{id}': {denied}"),
            )),
            Err(_) => Err(No::busy(connect.version, "too many logins at once")),
        }
    }

    /// Takes the client id, and waits until whoever had it is gone.
    async fn enter(&self, client: Arc<Client>, version: Version) -> Result<Membership, No> {
        let limits = &self.house.limits;
        let clients = &self.house.status.clients;
        if let Some(before) = clients.get(&client.id).filter(|before| !before.is_away())
            && let Some(tell) = before.is_contested(limits)
        {
            if tell {
                tracing::warn!(
                    client_id = %client.id, one = %before.peer, other = %client.peer,
                    "listener: two clients throw each other out by turns with the same client id; give one of them another id"
                );
            }
            // The one who is in works on meanwhile, and the two cannot spin.
            sleep(limits.fight_delay).await;
        }
        let (membership, before) = Membership::enter(&self.house, client);
        if let Some(before) = before
            && timeout(limits.takeover, before.until_gone()).await.is_err()
        {
            return Err(No::busy(
                version,
                "the earlier connection of this client id does not end",
            ));
        }
        if membership.client().ordered() == Order::Stay {
            Ok(membership)
        } else {
            Err(No::silent(
                Refusal::Gone,
                "another connection took the client id before it was let in",
            ))
        }
    }
}

/// Everything that a connection begins with.
pub(super) struct Admitted {
    pub(super) house: Arc<House>,
    pub(super) membership: Membership,
    pub(super) grant: Grant,
    pub(super) connect: Connect,
    /// What came behind the CONNECT: a client need not wait for CONNACK.
    pub(super) rest: BytesMut,
}

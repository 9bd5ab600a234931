//! A device's connection to the built-in listener, as the API and the pages show it.
//!
//! Only words: the daemon fills them in, since the web knows no listener.

use smol_str::SmolStr;

use crate::telemetry::Timestamp;

/// A client of the built-in listener as it is connected now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveConnection {
    /// MQTT client id.
    pub client_id: SmolStr,
    /// User name; `None`: anonymous.
    pub user: Option<SmolStr>,
    /// Address and port that it comes from.
    pub peer: String,
    /// `3.1`, `3.1.1` or `5`.
    pub protocol: SmolStr,
    /// Over TLS.
    pub tls: bool,
    /// Since when.
    pub since: Timestamp,
    /// Keep-alive in seconds; 0: none.
    pub keep_alive: u16,
    /// Messages taken on this connection.
    pub messages: u64,
    /// Publishes outside its rights on this connection.
    pub denied: u64,
    /// Subscriptions granted (nothing is ever delivered).
    pub subscriptions_granted: u64,
    /// Subscriptions refused.
    pub subscriptions_refused: u64,
}

//! The built-in MQTT listener: devices connect here when there is no broker.
//!
//! It takes publishes and leaves everything else of a broker out: nothing is ever delivered to a subscriber.

mod access;

mod subject;

mod stamp;

mod tls;

pub use access::Access;
pub use access::AccessError;
pub use access::AccessSettings;
pub use access::Denied;
pub use access::Grant;
pub use access::LoginAttempt;
pub use access::PasswordError;
pub use access::User;
pub use access::UsersError;
pub use access::UsersFile;
pub use access::What;
pub use access::WhatError;
pub use access::hash_password;
pub use tls::ListenerTls;
pub use tls::ListenerTlsError;
pub use tls::acceptor;
pub use tls::common_name;

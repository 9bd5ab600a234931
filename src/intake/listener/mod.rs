//! The built-in MQTT listener: devices connect here when there is no broker.
//!
//! It takes publishes and leaves everything else of a broker out: nothing is ever delivered to a subscriber.

mod access;

pub use access::Access;
pub use access::Denied;
pub use access::Grant;
pub use access::LoginAttempt;

//! The desk.
mod ticket;

pub use ticket::{Change, Ticket, TicketChange, TicketKind, TicketStatus, Waiting};

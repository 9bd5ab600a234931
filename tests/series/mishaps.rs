//! What the store makes of a server's bad days.

//! Fault profiles: their words, the expression language, and what it compiles to.
//!
//! One TOML file per model becomes one [`Program`]; every mistake becomes a [`Diagnostic`] with its place. What the words mean
//! stands in `device-profiles/README.md`. It leaves evaluation to `detect` and texts of tickets to `desk`. Pure: no clock, no
//! file, no panic on any text.

mod diagnostic;

mod lexer;

mod syntax;

mod parser;

mod unit;

mod sections;

mod compile;

mod canonical;

mod words;

mod template;

mod read;

mod case;

mod explain;

mod profiles;

mod program;

pub use case::{Case, Expect, Given, Say, When, Wire};
pub use diagnostic::{Diagnostic, Level};
pub use explain::FaultInWords;
pub use profiles::Profiles;
pub use program::*;
pub use read::SignalValue;
pub use words::Words;

#[cfg(test)]
mod tests;

//! Arguments, logging, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // First of all: with two TLS providers in the tree, the first connection would panic without this choice.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return ExitCode::from(3);
    }
    foremend::cli::Cli::parse().run()
}

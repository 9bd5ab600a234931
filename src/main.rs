//! Arguments, logging, exit code.

use std::process::ExitCode;

use clap::Parser;

/// Its own threads give back what was freed, also when those who freed it sleep: a gateway runs for months, and after a burst its
/// memory must be what it was before.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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

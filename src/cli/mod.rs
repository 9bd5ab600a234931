//! The command line: one file per subcommand.
//!
//! Exit codes are a contract: 0 good, 1 the thing asked about is not good, 2 wrong use, 3 could not run.

mod check;
mod decode;
mod demo;
mod explain;
mod init;
mod journal;
mod message;
mod output;
mod profiles;
mod progress;
mod publish;
mod replay;
mod run;
mod simulate;
mod tail;
mod test;
#[cfg(test)]
mod tests;
mod tickets;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Listens to smart appliances, recognises early signs of failure, opens the service ticket before the customer calls.
#[derive(Debug, Parser)]
#[command(
    name = "foremend",
    version,
    after_help = "Examples:\n  foremend init                    writes foremend.toml\n  foremend run --config foremend.toml\n  foremend replay tests/recordings/small-fleet.jsonl.gz"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: takes messages, opens tickets, serves the API.
    Run(run::Run),
    /// The daemon with a made-up fleet and its last 30 days, to look around in.
    Demo(demo::Demo),
    /// Looks for mistakes in fault profiles and prints what they cost per device.
    Check(check::Check),
    /// Runs the cases that profiles carry.
    Test(test::Test),
    /// Says a model's faults in plain words.
    Explain(explain::Explain),
    /// Plays recordings through the same pipeline as live and prints each ticket change.
    Replay(replay::Replay),
    /// Says what is understood of one message, and what is probably wrong with it.
    Decode(Box<decode::Decode>),
    /// Shows messages as they come, with what is understood of each.
    Tail(Box<tail::Tail>),
    /// Lists tickets without a browser.
    Tickets(tickets::Tickets),
    /// The durable log: info, verify, export, salvage.
    Journal(journal::Journal),
    /// Writes a settings file with every key and its default, as comments.
    Init(init::Init),
    /// Who may publish to the built-in MQTT listener: add, list, remove.
    User(user::Users),
    /// Publishes a CSV table as MQTT messages.
    Publish(Box<publish::Publish>),
    /// Lets a made-up fleet speak MQTT, in real time or as a load.
    Simulate(Box<simulate::Simulate>),
}

/// How a command that could run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The thing asked about is good.
    Good,
    /// It is not.
    NotGood,
}

impl Cli {
    /// Runs the command and tells the process's exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Run(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Replay(command) => command.run(),
            Command::Decode(command) => command.run(),
            Command::Tail(command) => command.run(),
            Command::Tickets(command) => command.run(),
            Command::Journal(command) => command.run(),
            Command::Init(command) => command.run(),
            Command::User(command) => command.run(),
            Command::Publish(command) => command.run(),
            Command::Simulate(command) => command.run(),
        };
        match result {
            Ok(Outcome::Good) => ExitCode::SUCCESS,
            Ok(Outcome::NotGood) => ExitCode::from(1),
            Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                output::complain(&format!("{error:#}"));
                ExitCode::from(3)
            }
        }
    }
}

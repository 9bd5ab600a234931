//! `foremend user`: who may publish to the built-in MQTT listener. A running daemon follows the file that this changes.

use std::fs;
use std::io;
use std::io::IsTerminal as _;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap::Subcommand;
use console::Term;

use super::Outcome;
use super::output::complain;
use super::output::say;
use crate::config;
use crate::daemon;
use crate::intake::listener::User;
use crate::intake::listener::UsersError;
use crate::intake::listener::UsersFile;
use crate::intake::listener::What;
use crate::intake::listener::hash_password;

/// Most that is read where a password is expected, bytes; more than a password may have.
const READ_LIMIT: u64 = 4_096;

/// Who may publish to the built-in MQTT listener.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  foremend user add rig-1 --publish water-rig/RIG-1\n  foremend user list\n  foremend user remove rig-1\n\nAs long as there is no users file, anyone may connect and publish; the first user closes the door.\nA running daemon follows every change within some seconds."
)]
pub(super) struct Users {
    #[command(subcommand)]
    command: Command,
    /// The users file; without it `listener.users_file` of the settings, else `users` in the data directory.
    #[arg(long, global = true, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Settings file of the daemon, for the place of its users.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory of the daemon; wins over the settings.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Adds a user; asks for its password, or reads it from standard input.
    #[command(
        after_help = "Examples:\n  foremend user add gateway-1 --publish water-rig/RIG-1 --publish water-rig/RIG-2\n  foremend user add plant --publish 'shop/+/status' < password.txt\n  foremend user add RIG-3 --certificate --publish water-rig/RIG-3\n\nA certificate whose common name is MODEL/SERIAL or a serial needs no line here: it may publish for that device."
    )]
    Add(Add),
    /// Lists users, how each logs in, and what it may publish.
    #[command(after_help = "Example:\n  foremend user list --data foremend-data")]
    List,
    /// Takes a user out; what it has open publishes nothing more.
    #[command(after_help = "Example:\n  foremend user remove gateway-1")]
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Its name; with a certificate, the common name.
    name: String,
    /// What it may publish: MODEL/SERIAL for the native topics of one device, an MQTT topic filter, or * for everything, which
    /// is also the default; repeat it.
    #[arg(long, value_name = "WHAT")]
    publish: Vec<What>,
    /// It may publish nothing: it is not let in, not even with a certificate.
    #[arg(long, conflicts_with = "publish")]
    nothing: bool,
    /// No password: it logs in with a client certificate of that common name alone.
    #[arg(long, conflicts_with = "password_file")]
    certificate: bool,
    /// File with the password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// In place of a user of that name.
    #[arg(long)]
    replace: bool,
}

impl Users {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let file = self.place()?;
        match self.command {
            Command::Add(add) => add.run(&file),
            Command::List => list(&file),
            Command::Remove { name } => remove(&file, &name),
        }
    }

    /// The file that the daemon of the same settings uses.
    fn place(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let places = config::load_places(self.config.as_deref())?;
        if let Some(file) = places.users_file {
            return Ok(file);
        }
        let data = self.data.clone().unwrap_or(places.data_dir);
        fs::create_dir_all(&data)
            .with_context(|| format!("cannot create the data directory {}", data.display()))?;
        Ok(daemon::users_path(&data))
    }
}

impl Add {
    fn run(self, file: &Path) -> anyhow::Result<Outcome> {
        let known = UsersFile::read(file)?;
        let first = known.is_none();
        let taken = |file: &UsersFile| !self.replace && file.get(&self.name).is_some();
        // Before the password is asked for; looked at again when the file is locked.
        if known.as_ref().is_some_and(taken) {
            return Ok(refuse(file, &self.name));
        }
        let hash = if self.certificate {
            None
        } else {
            Some(hash_password(&self.password()?)?)
        };
        let may = if self.publish.is_empty() && !self.nothing {
            vec![What::Everything]
        } else {
            self.publish.clone()
        };
        let user = User::new(&self.name, hash, may)?;
        let mut refused = false;
        UsersFile::edit(file, |users| {
            refused = taken(users);
            if !refused {
                users.set(user.clone());
            }
            Ok::<_, UsersError>(())
        })?;
        if refused {
            return Ok(refuse(file, &self.name));
        }
        say(&format!(
            "{} may publish {} ({})",
            user.name,
            rights(&user),
            file.display()
        ))?;
        if self.publish.is_empty() && !self.nothing {
            complain("to limit it to one device or to some topics: --replace --publish WHAT");
        }
        if first {
            complain(
                "this is the first user: nobody comes in without a name any more, unless [listener] says anonymous = true",
            );
        }
        Ok(Outcome::Good)
    }

    fn password(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(path) = &self.password_file {
            let file = fs::File::open(path)
                .with_context(|| format!("cannot read the password file {}", path.display()))?;
            return one_line(file).with_context(|| path.display().to_string());
        }
        if !io::stdin().is_terminal() {
            return one_line(io::stdin().lock()).context("the password on standard input");
        }
        let term = Term::stderr();
        let ask = |question: &str| -> anyhow::Result<String> {
            term.write_str(question)?;
            Ok(term.read_secure_line()?)
        };
        let password = ask(&format!("Password of {}: ", self.name))?;
        anyhow::ensure!(
            password == ask("The same again: ")?,
            "the two were not the same; nothing was changed"
        );
        Ok(password.into_bytes())
    }
}

/// The only line of a file, without its end.
fn one_line(from: impl io::Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(READ_LIMIT).read_to_end(&mut bytes)?;
    while bytes
        .last()
        .is_some_and(|byte| matches!(byte, b'\r' | b'\n'))
    {
        bytes.pop();
    }
    anyhow::ensure!(
        !bytes.contains(&b'\n'),
        "expected one line with the password, and there are more"
    );
    Ok(bytes)
}

fn refuse(file: &Path, name: &str) -> Outcome {
    complain(&format!(
        "{} has a user '{name}' already; --replace gives it a new password and new rights",
        file.display()
    ));
    Outcome::NotGood
}

fn rights(user: &User) -> String {
    if user.may.is_empty() {
        return "nothing".into();
    }
    let all: Vec<String> = user.may.iter().map(What::to_string).collect();
    all.join(" ")
}

fn list(path: &Path) -> anyhow::Result<Outcome> {
    let Some(file) = UsersFile::read(path)? else {
        complain(&format!(
            "{} does not exist: there are no users",
            path.display()
        ));
        return Ok(Outcome::Good);
    };
    for user in file.users() {
        let how = match user.hash {
            Some(_) => "password",
            None => "certificate",
        };
        say(&format!("{:<24} {how:<11} {}", user.name, rights(user)))?;
    }
    Ok(Outcome::Good)
}

fn remove(path: &Path, name: &str) -> anyhow::Result<Outcome> {
    // Not to make a file where there is none: that would close the door.
    let there = UsersFile::read(path)?.is_some_and(|file| file.get(name).is_some());
    let mut removed = false;
    let mut left = 0;
    if there {
        UsersFile::edit(path, |file| {
            removed = file.remove(name);
            left = file.users().count();
            Ok::<_, UsersError>(())
        })?;
    }
    if !removed {
        complain(&format!("{} has no user '{name}'", path.display()));
        return Ok(Outcome::NotGood);
    }
    say(&format!("{name} is out ({})", path.display()))?;
    if left == 0 {
        complain(&format!(
            "no user is left, and the door stays closed; to let anyone in again, remove {} and restart the daemon",
            path.display()
        ));
    }
    Ok(Outcome::Good)
}

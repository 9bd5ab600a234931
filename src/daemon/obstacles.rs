//! What most often keeps a daemon from starting: a directory that is not its own, and an address that is taken. Each is found
//! before anything is written, and said so that a person can mend it.

use std::fs;
use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use tokio::net::TcpListener;

/// Written and removed at each start, to find out whether anything can be.
const PROBE: &str = "writable";
/// What to do when the data directory cannot be used.
const CHOOSE: &str = "choose another with data.dir or --data";

/// Makes the data directory where it is missing, and finds out whether files can be written there.
///
/// # Errors
/// When it cannot be made or written; the text names it and, where that is the reason, its owner.
pub(super) fn make_writable(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| {
        let place = dir.ancestors().find(|place| place.exists());
        format!(
            "cannot create the data directory {}{}; {CHOOSE}",
            dir.display(),
            place.map_or_else(String::new, owner)
        )
    })?;
    let probe = dir.join(PROBE);
    fs::write(&probe, b"")
        .and_then(|()| fs::remove_file(&probe))
        .with_context(|| {
            format!(
                "cannot write to the data directory {}{}; {CHOOSE}",
                dir.display(),
                owner(dir)
            )
        })
}

/// Whose the directory is, where it is somebody else's: ` (it belongs to "root", and this runs as "foremend")`.
fn owner(place: &Path) -> String {
    // What Linux says of the process itself belongs to the user that it runs as.
    let (Ok(theirs), Ok(ours)) = (fs::metadata(place), fs::metadata("/proc/self")) else {
        return String::new();
    };
    if theirs.uid() == ours.uid() {
        return String::new();
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    format!(
        " ({} belongs to {}, and this runs as {})",
        place.display(),
        user(&users, theirs.uid()),
        user(&users, ours.uid())
    )
}

/// The name of a user, else its number, from the text of `/etc/passwd`.
fn user(users: &str, id: u32) -> String {
    let id = id.to_string();
    users
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| {
            let name = fields.next()?;
            (fields.nth(1) == Some(&id)).then(|| format!("'{name}'"))
        })
        .unwrap_or_else(|| format!("the user with the number {id}"))
}

/// Binds an address; `key` is the setting that names it.
///
/// # Errors
/// When the address cannot be had; the text says why and what to do.
pub(super) async fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| taken(address, key, error))
}

fn taken(address: SocketAddr, key: &str, error: io::Error) -> anyhow::Error {
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there, perhaps another foremend: stop that one, or set"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 belong to the administrator: choose a higher one, or set"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address: set",
        _ => "set",
    };
    anyhow::Error::new(error).context(format!(
        "cannot listen on {address}; {why} {key} to another address"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_taken_or_not_ours_is_said_so() {
        let first = listen("127.0.0.1:0".parse().unwrap(), "http.listen")
            .await
            .unwrap();
        let again = listen(first.local_addr().unwrap(), "http.listen").await;
        let text = format!("{:#}", again.unwrap_err());
        assert!(
            text.contains("another program") && text.contains("http.listen"),
            "{text}"
        );
        // An address for documentation, which no machine has.
        let strange = listen("192.0.2.1:0".parse().unwrap(), "http.listen").await;
        let text = format!("{:#}", strange.unwrap_err());
        assert!(text.contains("no such address"), "{text}");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        make_writable(&data).unwrap();
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "nothing is left");
        // Root may write anywhere, but not below a file.
        fs::write(dir.path().join("file"), "").unwrap();
        let error = make_writable(&dir.path().join("file/data")).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("file/data") && text.contains("--data"),
            "{text}"
        );
        // Nor where a file of the name that is tried is a directory.
        fs::create_dir(data.join(PROBE)).unwrap();
        let error = make_writable(&data).unwrap_err();
        assert!(format!("{error:#}").contains("cannot write to the data directory"));
    }

    #[test]
    fn owners_are_named() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nforemend:x:998:997::/var/lib/foremend:/bin/false\n";
        assert_eq!(user(users, 998), "'foremend'");
        assert_eq!(user(users, 997), "the user with the number 997");
        assert_eq!(owner(Path::new("/nowhere")), "");
    }
}

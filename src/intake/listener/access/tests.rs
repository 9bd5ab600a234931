//! Logging in by password and by certificate, and what a changed users file does to who is in already.

use std::net::Ipv4Addr;
use std::path::Path;

use super::*;

const TOPIC: &str = "appl/v1/ts-flash5/TSF5-MADEUP-07/tele";
const OTHER: &str = "appl/v1/ts-flash5/TSF5-MADEUP-08/tele";

fn settings(dir: &Path) -> AccessSettings {
    AccessSettings {
        users_file: dir.join("users"),
        must_exist: false,
        anonymous: None,
        certificates: false,
    }
}

/// Hashing is dear; the tests share one password.
fn hash() -> SmolStr {
    static HASH: std::sync::OnceLock<SmolStr> = std::sync::OnceLock::new();
    HASH.get_or_init(|| hash_password(b"made up").unwrap())
        .clone()
}

fn put(dir: &Path, name: &str, hash: Option<SmolStr>, may: &[&str]) {
    let may = may.iter().map(|what| what.parse().unwrap()).collect();
    UsersFile::edit(&dir.join("users"), |file| {
        file.set(User::new(name, hash, may)?);
        Ok::<_, UsersError>(())
    })
    .unwrap();
}

fn attempt<'a>(
    username: Option<&'a str>,
    password: Option<&'a str>,
    certificate: Option<&'a str>,
) -> LoginAttempt<'a> {
    LoginAttempt {
        client_id: "client",
        username,
        password: password.map(str::as_bytes),
        certificate,
        peer: Ipv4Addr::LOCALHOST.into(),
    }
}

async fn by_name(access: &Access, name: &str, password: &str) -> Result<Grant, Denied> {
    access
        .login(&attempt(Some(name), Some(password), None))
        .await
}

async fn by_nothing(access: &Access) -> Result<Grant, Denied> {
    access.login(&attempt(None, None, None)).await
}

async fn by_certificate(access: &Access, name: &str) -> Result<Grant, Denied> {
    access.login(&attempt(None, None, Some(name))).await
}

fn denied(result: Result<Grant, Denied>) -> Denied {
    result.map(|grant| grant.user).expect_err("not let in")
}

#[tokio::test]
async fn anyone_comes_in_until_there_is_a_first_user() {
    let dir = tempfile::tempdir().unwrap();
    let access = Access::open(settings(dir.path())).unwrap();
    let warning = access.warning().expect("a warning");
    assert!(warning.contains("foremend user add"), "{warning}");
    let stranger = by_nothing(&access).await.unwrap();
    assert!(stranger.user.is_none() && stranger.may_publish(TOPIC));
    // A device that was set up for another broker sends a name; here it means nothing yet.
    assert!(by_name(&access, "x", "y").await.unwrap().user.is_none());

    put(dir.path(), "plant", Some(hash()), &["*"]);
    access.0.look();
    assert!(!stranger.may_publish(TOPIC), "who is in is out as well");
    assert_eq!(denied(by_nothing(&access).await), Denied::BadCredentials);
    assert!(
        by_name(&access, "plant", "made up")
            .await
            .unwrap()
            .may_publish(TOPIC)
    );
    assert_eq!(access.warning(), None);

    // Neither an empty file nor a lost one opens the door again.
    std::fs::write(dir.path().join("users"), "").unwrap();
    access.0.look();
    assert_eq!(denied(by_nothing(&access).await), Denied::BadCredentials);
    put(dir.path(), "plant", Some(hash()), &["*"]);
    access.0.look();
    std::fs::remove_file(dir.path().join("users")).unwrap();
    access.0.look();
    assert_eq!(denied(by_nothing(&access).await), Denied::BadCredentials);
    assert!(by_name(&access, "plant", "made up").await.is_ok());
    let gone = access.check().unwrap_err().to_string();
    assert!(gone.contains("does not exist"), "{gone}");
}

#[tokio::test]
async fn the_setting_wins_over_what_the_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let shut = Access::open(AccessSettings {
        anonymous: Some(false),
        ..settings(dir.path())
    })
    .unwrap();
    assert_eq!(denied(by_nothing(&shut).await), Denied::BadCredentials);
    assert!(shut.warning().unwrap().contains("nobody can log in"));
    put(dir.path(), "plant", Some(hash()), &["*"]);
    let open = Access::open(AccessSettings {
        anonymous: Some(true),
        ..settings(dir.path())
    })
    .unwrap();
    assert!(by_nothing(&open).await.is_ok());
    assert!(open.warning().unwrap().contains("anonymous = true"));
    // A wrong password is wrong all the same.
    let wrong = by_name(&open, "plant", "wrong").await;
    assert_eq!(denied(wrong), Denied::BadCredentials);
}

#[test]
fn a_named_file_that_is_missing_does_not_open_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let named = AccessSettings {
        must_exist: true,
        ..settings(dir.path())
    };
    let error = Access::open(named.clone()).unwrap_err().to_string();
    assert!(error.contains("foremend user add"), "{error}");
    let open = AccessSettings {
        anonymous: Some(true),
        ..named
    };
    assert!(Access::open(open).is_ok());
    std::fs::write(dir.path().join("users"), "plant\n").unwrap();
    let error = Access::open(settings(dir.path())).unwrap_err().to_string();
    assert!(error.contains("users:1"), "{error}");
}

#[tokio::test]
async fn a_user_publishes_what_its_line_says() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        "gateway-1",
        Some(hash()),
        &["ts-flash5/TSF5-MADEUP-07", "shop/+/status"],
    );
    put(dir.path(), "blocked", Some(hash()), &[]);
    put(dir.path(), "badge", None, &["*"]);
    let access = Access::open(settings(dir.path())).unwrap();
    let grant = by_name(&access, "gateway-1", "made up").await.unwrap();
    assert_eq!(grant.user.as_deref(), Some("gateway-1"));
    assert!(grant.may_publish(TOPIC) && grant.may_publish("shop/3/status"));
    assert!(!grant.may_publish(OTHER));
    for (name, password) in [
        ("gateway-1", "wrong"),
        ("gateway-1", ""),
        ("nobody", "made up"),
        ("blocked", "made up"),
        ("badge", "-"),
        ("badge", ""),
    ] {
        let result = by_name(&access, name, password).await;
        assert_eq!(denied(result), Denied::BadCredentials, "{name}");
    }
    let nameless = access.login(&attempt(Some("gateway-1"), None, None)).await;
    assert_eq!(denied(nameless), Denied::BadCredentials);
}

#[tokio::test]
async fn a_certificate_is_the_user_of_its_line_or_the_device_of_its_name() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "plant", None, &["*"]);
    put(dir.path(), "TSF5-MADEUP-09", None, &[]);
    put(dir.path(), "gateway-1", Some(hash()), &["shop/#"]);
    let access = Access::open(AccessSettings {
        certificates: true,
        ..settings(dir.path())
    })
    .unwrap();
    assert!(
        by_certificate(&access, "plant")
            .await
            .unwrap()
            .may_publish(OTHER)
    );
    let device = by_certificate(&access, "TSF5-MADEUP-07").await.unwrap();
    assert_eq!(device.user.as_deref(), Some("TSF5-MADEUP-07"));
    assert!(device.may_publish(TOPIC) && !device.may_publish(OTHER));
    for stranger in ["TSF5-MADEUP-09", "a b", "+", ""] {
        let result = by_certificate(&access, stranger).await;
        assert_eq!(denied(result), Denied::BadCredentials, "{stranger:?}");
    }
    // A password says who it is, whatever certificate carries the connection.
    let both = attempt(Some("gateway-1"), Some("made up"), Some("plant"));
    let grant = access.login(&both).await.unwrap();
    assert!(grant.may_publish("shop/3") && !grant.may_publish(TOPIC));
    let wrong = attempt(Some("gateway-1"), Some("wrong"), Some("plant"));
    assert_eq!(
        denied(access.login(&wrong).await),
        Denied::BadCredentials,
        "a wrong password is not made up for by a certificate"
    );
}

#[test]
fn an_authority_for_certificates_closes_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let access = Access::open(AccessSettings {
        certificates: true,
        ..settings(dir.path())
    })
    .unwrap();
    assert!(!access.0.is_open());
    assert_eq!(access.warning(), None);
}

#[tokio::test]
async fn a_changed_file_changes_what_open_connections_may_do() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a", Some(hash()), &["shop/#"]);
    put(dir.path(), "b", Some(hash()), &["shop/#"]);
    put(dir.path(), "c", Some(hash()), &["shop/#"]);
    let access = Access::open(settings(dir.path())).unwrap();
    let a = by_name(&access, "a", "made up").await.unwrap();
    let b = by_name(&access, "b", "made up").await.unwrap();
    let c = by_name(&access, "c", "made up").await.unwrap();
    put(dir.path(), "a", Some(hash()), &["hall/#"]);
    put(
        dir.path(),
        "b",
        Some(hash_password(b"another").unwrap()),
        &["shop/#"],
    );
    UsersFile::edit(&dir.path().join("users"), |file| {
        assert!(file.remove("c"));
        Ok::<_, UsersError>(())
    })
    .unwrap();
    access.0.look();
    assert!(a.may_publish("hall/1") && !a.may_publish("shop/1"));
    assert!(!b.may_publish("shop/1") && !c.may_publish("shop/1"));
    // Remembered passwords do not outlive the hash that they belong to.
    assert!(by_name(&access, "b", "made up").await.is_err());
    assert!(by_name(&access, "c", "made up").await.is_err());
    assert!(by_name(&access, "b", "another").await.is_ok());
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_a_mended_one_holds() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "plant", Some(hash()), &["shop/#"]);
    let access = Access::open(settings(dir.path())).unwrap();
    let grant = by_name(&access, "plant", "made up").await.unwrap();
    std::fs::write(dir.path().join("users"), "plant broken\n").unwrap();
    assert!(access.check().is_err() && !access.refresh());
    assert!(grant.may_publish("shop/1"));
    assert!(by_name(&access, "plant", "made up").await.is_ok());
    std::fs::write(
        dir.path().join("users"),
        format!("plant {} hall/#\n", hash()),
    )
    .unwrap();
    access.0.look();
    assert!(grant.may_publish("hall/1") && !grant.may_publish("shop/1"));
}

#[tokio::test]
async fn the_file_is_followed_without_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "plant", Some(hash()), &["shop/#"]);
    let access = Access::open(settings(dir.path())).unwrap();
    let grant = by_name(&access, "plant", "made up").await.unwrap();
    put(dir.path(), "plant", Some(hash()), &["hall/#"]);
    let changed = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !grant.may_publish("hall/1") {
            look.tick().await;
        }
    };
    let limit = 20 * LOOK_EVERY;
    assert!(tokio::time::timeout(limit, changed).await.is_ok());
}

#[tokio::test]
async fn wrong_passwords_by_the_thousand_are_told_to_wait_while_the_right_one_comes_in() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "plant", Some(hash()), &["*"]);
    let access = Access::open(settings(dir.path())).unwrap();
    assert!(by_name(&access, "plant", "made up").await.is_ok());
    let mut busy = 0;
    for number in 0..1_000 {
        let result = by_name(&access, "plant", &format!("wrong {number}")).await;
        busy += usize::from(denied(result) == Denied::Busy);
    }
    // Five at once, and one more each ten seconds that this takes.
    assert!(busy > 900, "{busy}");
    assert!(
        by_name(&access, "plant", "made up").await.is_ok(),
        "a password that was right minutes ago is not held up"
    );
}

#[test]
fn nothing_that_is_printed_holds_a_password_or_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "plant", Some(hash()), &["*"]);
    let access = Access::open(settings(dir.path())).unwrap();
    let remembered = format!("{:?}", access.0.checker);
    assert!(remembered.contains("0 remembered"), "{remembered}");
    assert!(!remembered.contains("key"), "{remembered}");
}

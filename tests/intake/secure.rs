//! TLS: an authority of our own, a server and a client certificate.

use std::path::Path;
use std::process::Command;

use foremend::intake::BrokerSettings;
use foremend::intake::MqttVersion;
use foremend::intake::SourceState;

use crate::bench::Journal;
use crate::bench::Mode;
use crate::bench::Running;
use crate::bench::eventually;
use crate::bench::settings;
use crate::mosquitto::Mosquitto;

const SETTINGS: &str = "{listener}\ncafile {dir}/ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\nrequire_certificate true\n";

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .current_dir(dir)
        .args(arguments.split(' '))
        .output()
        .expect("openssl; run tests/run.sh, which installs what the tests need");
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An authority, and certificates for `localhost` and for a client.
fn certificates(dir: &Path) {
    std::fs::write(
        dir.join("extensions"),
        "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n",
    )
    .expect("a file");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        dir,
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"),
    );
    for name in ["server", "client"] {
        openssl(
            dir,
            &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
        );
        openssl(
            dir,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 -extfile extensions"
            ),
        );
    }
}

fn secure(broker: &Mosquitto, version: MqttVersion) -> BrokerSettings {
    let mut settings = settings(&format!("mqtts://localhost:{}", broker.port()), version);
    settings.tls.ca_file = Some(broker.dir().join("ca.pem"));
    settings.tls.cert_file = Some(broker.dir().join("client.pem"));
    settings.tls.key_file = Some(broker.dir().join("client.key"));
    settings
}

async fn refusal(settings: BrokerSettings) -> String {
    let source = Running::start(settings, &Journal::new(Mode::Prompt));
    let told = || match source.now().state {
        SourceState::Connecting { error, .. } => error,
        _ => None,
    };
    eventually("a reason", || told().is_some()).await;
    let reason = told().unwrap_or_default();
    source.stop().await.expect("an orderly stop");
    reason
}

#[tokio::test]
async fn a_broker_with_certificates_is_spoken_to_over_tls() {
    let dir = tempfile::tempdir().expect("a directory");
    certificates(dir.path());
    let broker = Mosquitto::start_in(dir, SETTINGS);
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let source = Running::start(secure(&broker, version), &Journal::new(Mode::Prompt));
        // The fence needs its own connection over TLS too.
        eventually("the fence", || source.now().fences == 1).await;
        source.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn tls_that_fails_names_the_reason_or_the_file() {
    let dir = tempfile::tempdir().expect("a directory");
    certificates(dir.path());
    let broker = Mosquitto::start_in(dir, SETTINGS);
    let good = secure(&broker, MqttVersion::V5);

    let mut other_authority = good.clone();
    other_authority.tls.ca_file = Some(broker.dir().join("client.pem"));
    let reason = refusal(other_authority).await;
    assert!(reason.contains("invalid peer certificate"), "{reason}");

    let mut missing = good.clone();
    missing.tls.ca_file = Some(broker.dir().join("nowhere.pem"));
    let reason = refusal(missing).await;
    assert!(
        reason.contains("ca_file") && reason.contains("nowhere.pem"),
        "{reason}"
    );

    let mut no_certificate = good.clone();
    no_certificate.tls.ca_file = Some(broker.dir().join("ca.key"));
    let reason = refusal(no_certificate).await;
    assert!(
        reason.contains("ca_file") && reason.contains("no certificate in it"),
        "{reason}"
    );

    let mut wrong_key = good;
    wrong_key.tls.key_file = Some(broker.dir().join("server.key"));
    let reason = refusal(wrong_key).await;
    assert!(
        reason.contains("cert_file") && reason.contains("client.pem"),
        "{reason}"
    );
}

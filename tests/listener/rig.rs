//! A daemon with a listener of both kinds, its users and certificates, and what arrived in its journal.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::KeyPair;
use serde_json::Value;

use crate::process::Daemon;
use crate::process::wait_for;

/// How long anything may take that happens by itself.
pub(crate) const SOON: Duration = Duration::from_mins(1);
/// The password of every user here.
pub(crate) const PASSWORD: &str = "made up";
/// Speaks for every toilet of the model.
pub(crate) const PLANT: &str = "plant";
/// Speaks for one device.
pub(crate) const ONE: &str = "gateway-1";
/// The device that it speaks for.
pub(crate) const ITS_SERIAL: &str = "TSF5-MADEUP-07";

/// A daemon, its address, and its directory.
pub(crate) struct Rig {
    pub(crate) daemon: Daemon,
    dir: tempfile::TempDir,
}

/// `foremend` with these arguments, and this on its standard input.
pub(crate) fn foremend<A: AsRef<OsStr>>(dir: &Path, arguments: &[A], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_foremend"))
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses does not read.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

/// The same where it has to work.
pub(crate) fn good(dir: &Path, arguments: &[&str], input: &str) -> String {
    let output = foremend(dir, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// All that a program said.
pub(crate) fn said(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    format!("{out}{error}")
}

/// An authority, a server of this machine, and clients of these names, as files of those names.
fn certificates(dir: &Path, clients: &[&str]) {
    let named = |name: &str, addresses: &[&str]| {
        let addresses: Vec<String> = addresses.iter().map(|&name| name.into()).collect();
        let mut params = CertificateParams::new(addresses).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut params = named("authority", &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    let mut all = vec![("server", named("server", &["localhost", "127.0.0.1"]))];
    all.extend(clients.iter().map(|&name| (name, named(name, &[]))));
    for (name, params) in all {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

impl Rig {
    /// With users and certificates.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path(), &["TSF5-MADEUP-11", "stranger"]);
        let toilets = "appl/v1/ts-flash5/+/+";
        let device = format!("ts-flash5/{ITS_SERIAL}");
        for (name, what) in [(PLANT, toilets), (ONE, device.as_str())] {
            let arguments = ["user", "add", name, "--publish", what, "--data", "data"];
            good(dir.path(), &arguments, PASSWORD);
        }
        Self::start_in(
            dir,
            "tls_listen = \"127.0.0.1:0\"\ncert_file = \"server.pem\"\nkey_file = \"server.key\"\nclient_ca_file = \"ca.pem\"\n",
        )
    }

    /// In a directory that is prepared already, with these lines in `[listener]`.
    pub(crate) fn start_in(dir: tempfile::TempDir, listener: &str) -> Self {
        let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/device-profiles");
        let settings = format!(
            "[profiles]\ndir = \"{profiles}\"\n[listener]\nlisten = \"127.0.0.1:0\"\n{listener}"
        );
        let daemon = Daemon::start(dir.path(), &settings);
        Self { daemon, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The file of a certificate or key.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn port_of(&self, scheme: &str) -> u16 {
        let ready = &self.daemon.ready;
        let (_, address) = ready
            .split_once(&format!("{scheme}://"))
            .unwrap_or_else(|| panic!("no {scheme} in: {ready}"));
        let address: SocketAddr = address
            .split([',', ' '])
            .next()
            .unwrap()
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {ready}"));
        address.port()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port_of("mqtt")
    }

    pub(crate) fn tls_port(&self) -> u16 {
        self.port_of("mqtts")
    }

    /// The payloads on a topic, in the order of the journal.
    pub(crate) fn arrived(&self, topic: &str) -> Vec<String> {
        let text = good(self.dir(), &["journal", "export", "--data", "data"], "");
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["topic"] == topic)
            .map(|line| line["payload"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until exactly these payloads have arrived on a topic, in this order.
    pub(crate) fn wait_for(&self, topic: &str, payloads: &[String]) {
        let all = wait_for("the messages in the journal", SOON, || {
            let all = self.arrived(topic);
            (all.len() >= payloads.len()).then_some(all)
        });
        assert_eq!(all, payloads, "{topic}");
    }

    /// The sum of a metric over its labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.daemon.text("/metrics");
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let ours = rest.starts_with(' ') || rest.starts_with('{');
            ours.then(|| rest.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        };
        text.lines().filter_map(value).sum()
    }
}

pub(crate) fn topic(serial: &str) -> String {
    format!("appl/v1/ts-flash5/{serial}/tele")
}

/// Readings of a device, each told from the next.
pub(crate) fn readings(count: u32) -> Vec<String> {
    (0..count)
        .map(|n| format!("{{\"boot\":1,\"seq\":{n},\"s\":{{\"water.out_c\":30.{n:03}}}}}"))
        .collect()
}

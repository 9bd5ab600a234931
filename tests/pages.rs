//! The pages in a real browser: accessible, inside their width, without errors, in both languages, light and dark, wide and phone.
//!
//! The real binary serves a month of made-up toilets and brushes; Chromium opens each page and axe-core looks for what would keep
//! someone from using it. `FOREMEND_TEST_SHOTS=DIR` keeps the pictures. What a page says is tested beside its code.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use process::http;

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/daemon.rs"]
mod process;

/// Where `tests/run.sh` put the browser's driver and axe-core.
const MODULES: &str = "FOREMEND_TEST_NODE_MODULES";

fn driver() -> PathBuf {
    let modules = std::env::var_os(MODULES).unwrap_or_else(|| {
        panic!("{MODULES} is not set: run tests/run.sh, which installs Chromium, puppeteer-core and axe-core")
    });
    // Node looks for packages beside the file, so that the file goes beside the packages.
    let folder = PathBuf::from(modules);
    let file = folder.parent().unwrap().join("look.mjs");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/look.mjs");
    std::fs::copy(source, &file).unwrap();
    file
}

/// A running demo, ended with the test.
struct Demo {
    child: Child,
    url: String,
}

impl Demo {
    /// A small fleet with a past of some days; its pages are as full as they get.
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(["demo", "--devices", "10", "--days", "8", "--seed", "1"])
            .args(["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data"])
            .arg(data)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("ready: ")?;
                Some(rest.split_whitespace().next()?.to_owned())
            })
            .expect("the demo says where its pages are");
        Self { child, url }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The first item of a list of the API, by one of its fields.
fn first(demo: &Demo, token: &str, list: &str, field: &str) -> String {
    let (status, body) = http("GET", &format!("{}{list}", demo.url), token, None);
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let found = body["items"][0][field].as_str();
    found
        .unwrap_or_else(|| panic!("{list} is empty"))
        .to_owned()
}

#[test]
fn every_page_is_accessible_and_inside_its_width() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo");
    let demo = Demo::start(&data);
    let token_file = data.join("admin-token");
    let token = std::fs::read_to_string(&token_file).unwrap();
    let ticket = first(&demo, token.trim(), "/api/v1/tickets", "id");
    let device = first(&demo, token.trim(), "/api/v1/tickets", "device");
    let model = device.split('/').next().unwrap();
    let mut look = Command::new("node");
    look.arg(driver()).arg(&demo.url).arg(&token_file);
    if let Some(shots) = std::env::var_os("FOREMEND_TEST_SHOTS") {
        look.arg("--shots").arg(shots);
    } else {
        look.arg("--quick");
    }
    look.args(["/", "/?view=done", "/fleet", "/devices", "/profiles"]);
    look.args([
        format!("/tickets/{ticket}"),
        format!("/devices/{device}"),
        format!("/devices/{device}/tickets"),
        format!("/devices/{device}/messages"),
        format!("/profiles/{model}"),
    ]);
    let looked = look.output().unwrap();
    assert!(
        looked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&looked.stdout),
        String::from_utf8_lossy(&looked.stderr)
    );
}

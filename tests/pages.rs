//! The pages in a real browser: accessible, inside their width, without errors, in both languages, light and dark, wide and phone.
//!
//! The real binary serves a month of made-up toilets and brushes; Chromium opens each page and axe-core looks for what would keep
//! someone from using it. `FOREMEND_TEST_SHOTS=DIR` keeps the pictures. What a page says is tested beside its code.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

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

//! All profiles in force, by model.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::diagnostic::{Diagnostic, Level, Reported, Sink, Span};
use super::sections::{self, document};
use super::words::Words;
use super::{Case, Program, canonical, case, compile};
use crate::telemetry::ProfileText;

/// Most modes of one baseline that is being learnt.
const BASELINE_MODES: u64 = 16;

/// Compiled profiles with the words they share.
#[derive(Debug, Default)]
pub struct Profiles {
    programs: BTreeMap<SmolStr, Arc<Program>>,
    words: Words,
    cases: Vec<Case>,
    warnings: Vec<Diagnostic>,
}

impl Profiles {
    /// Compiles profile files with the files of words they share. Without words, causes, actions and messages are not
    /// checked; a warning says so.
    ///
    /// # Errors
    /// Every mistake of every file.
    pub fn compile(
        profiles: &[ProfileText],
        words: &[ProfileText],
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut all = Self::default();
        let mut found: Vec<Diagnostic> = Vec::new();
        for file in words {
            found.extend(all.words.read(file));
        }
        let shared = (!words.is_empty()).then(|| all.words.clone());
        for file in profiles {
            let mut sink = Sink::new(file);
            if let Ok((program, cases)) = one(shared.as_ref(), &mut sink) {
                all.cases.extend(cases);
                let model = program.model.clone();
                if all
                    .programs
                    .insert(model.clone(), Arc::new(program))
                    .is_some()
                {
                    let message = format!("another profile speaks for the model '{model}' already");
                    let Reported = sink.error(Span::default(), message);
                }
            }
            found.extend(sink.finish());
        }
        if found.iter().any(|one| one.level == Level::Error) {
            return Err(found);
        }
        all.warnings = found;
        Ok(all)
    }

    /// The profile of a model.
    pub fn get(&self, model: &str) -> Option<&Arc<Program>> {
        self.programs.get(model)
    }

    /// Every profile, by model.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Program>> {
        self.programs.values()
    }

    /// The shared words.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// The cases of all models, in the order of the files.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// What a person should look at, though it refuses nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

impl Program {
    /// Upper bound of the state of one device, bytes: what `check` prints.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        let nodes: u64 = self.nodes.iter().map(|n| u64::from(n.state_bytes)).sum();
        let learning = self.derives.iter().filter_map(|derive| derive.baseline);
        let learning = learning.map(|rule| BASELINE_MODES * 8 * u64::from(rule.samples.min(128)));
        nodes + learning.sum::<u64>()
    }
}

fn one(words: Option<&Words>, sink: &mut Sink<'_>) -> Result<(Program, Vec<Case>), Reported> {
    let source = sections::read(sink);
    let version = version(sink)?;
    if words.is_none() {
        sink.warning(
            Span::default(),
            "no files of words are given: causes, actions and messages are not checked",
            "give words/*.toml beside the profile",
        );
    }
    let source = source?;
    let program = compile::program(&source, words, version, sink)?;
    let cases = case::cases(&source, &program, sink);
    Ok((program, cases))
}

/// First 12 hex digits of the SHA-256 of the profile without comments and cases.
fn version(sink: &mut Sink<'_>) -> Result<SmolStr, Reported> {
    let document = document(sink)?;
    let digest = Sha256::digest(canonical::text(document.as_table()).as_bytes());
    let mut hex = String::new();
    for byte in digest.iter().take(6) {
        // Writing to a String does not fail.
        write!(hex, "{byte:02x}").ok();
    }
    Ok(SmolStr::new(hex))
}

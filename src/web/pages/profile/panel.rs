//! A fault as a panel: when it rises and ends, what follows, how many devices it judges, and how often it was right.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::chart::Share;
use crate::chart::ShareKind;
use crate::chart::meter;
use crate::chart::whisker;
use crate::desk::CountsAs;
use crate::desk::Precision;
use crate::desk::VERDICTS_LEAST;
use crate::desk::counts_as;
use crate::profile::Fault;
use crate::profile::Program;
use crate::profile::RuleState;
use crate::profile::StageRule;
use crate::telemetry::Verdict;
use crate::web::FaultCounts;
use crate::web::WebState;
use crate::web::WordList;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;

/// What the panel of a fault shows.
pub(super) struct Panel {
    pub(super) name: SmolStr,
    pub(super) code: SmolStr,
    pub(super) title: String,
    pub(super) severities: Vec<(String, Markup)>,
    pub(super) state: String,
    /// Heading and text, in the order in which they are read.
    pub(super) facts: Vec<(String, String)>,
    pub(super) opened: String,
    pub(super) right: String,
    pub(super) likely: String,
    pub(super) whisker: Option<Markup>,
    pub(super) meter: Markup,
    pub(super) judged: String,
    pub(super) counts: Vec<(&'static str, String)>,
    pub(super) why_blind: String,
    pub(super) written: String,
}

/// Builds it.
pub(super) fn panel(
    state: &WebState,
    frame: &Frame,
    program: &Program,
    fault: &Fault,
    counts: &FaultCounts,
    opened: u64,
    verdicts: &BTreeMap<Verdict, u64>,
) -> Panel {
    let t = frame.t;
    let stages = [
        (&fault.warn, "profile-warning"),
        (&fault.fault, "profile-fault"),
    ];
    let severities = stages
        .iter()
        .filter_map(|(rule, key)| {
            let rule = rule.as_ref()?;
            Some((t.say(*key).to_string(), parts::severity(t, rule.severity)))
        })
        .collect();
    let (right, likely, whisker) = right(frame, verdicts);
    let normal = counts.judged.saturating_sub(counts.pending + counts.active);
    let shares = [
        (ShareKind::Normal, normal, "normal", "profile-n-normal"),
        (
            ShareKind::Pending,
            counts.pending,
            "pending",
            "profile-n-pending",
        ),
        (
            ShareKind::Active,
            counts.active,
            "active",
            "profile-n-active",
        ),
        (
            ShareKind::Learning,
            counts.learning,
            "learning",
            "profile-n-learning",
        ),
        (ShareKind::Blind, counts.blind, "blind", "profile-n-blind"),
    ];
    let said: Vec<(&'static str, String)> = shares
        .iter()
        .map(|(_, count, class, key)| (*class, t.say(*key).num("n", *count).to_string()))
        .collect();
    let label: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
    let bars: Vec<Share> = shares
        .iter()
        .map(|(kind, count, _, _)| Share {
            kind: *kind,
            count: *count,
        })
        .collect();
    let written: Vec<String> = fault
        .written
        .iter()
        .map(|(key, text)| format!("{key} = {}", text.trim()))
        .collect();
    Panel {
        name: fault.name.clone(),
        code: fault.code.clone(),
        title: t.one(&fault.title).to_owned(),
        severities,
        state: match fault.state {
            RuleState::Live => t.say("profile-live"),
            RuleState::Shadow => t.say("profile-shadow"),
            RuleState::Off => t.say("profile-off"),
        }
        .to_string(),
        facts: facts(state, frame, program, fault),
        opened: frame.show.count(opened),
        right,
        likely,
        whisker,
        meter: Markup::trusted(meter(&bars, &label.join(", "))),
        judged: t
            .say("profile-n-judged")
            .num("n", counts.judged)
            .to_string(),
        counts: said.clone(),
        why_blind: why_blind(frame, counts),
        written: written.join("\n"),
    }
}

fn facts(
    state: &WebState,
    frame: &Frame,
    program: &Program,
    fault: &Fault,
) -> Vec<(String, String)> {
    let t = frame.t;
    let words = program.in_words(fault);
    let mut facts = Vec::new();
    let mut tell = |key: &str, text: String| facts.push((t.say(key.to_owned()).to_string(), text));
    if let Some(warn) = &words.warn {
        tell("profile-warning", sentence(frame, t.one(warn)));
    }
    if let Some(full) = &words.fault {
        tell("profile-fault", sentence(frame, t.one(full)));
    }
    let mut ends = sentence(frame, t.one(&words.clear));
    let latched = |rule: &Option<StageRule>| rule.as_ref().is_some_and(|rule| rule.latched);
    if latched(&fault.fault) && (fault.warn.is_none() || latched(&fault.warn)) {
        ends = t.say("profile-latched").to_string();
    } else if latched(&fault.fault) {
        ends = format!(
            "{ends}{}{}",
            t.say("profile-gap"),
            t.say("profile-fault-latched")
        );
    }
    tell("profile-ends", ends);
    let mut then: Vec<String> = Vec::new();
    for rule in [&fault.warn, &fault.fault].into_iter().flatten() {
        let word = state.backend.word(WordList::Action, &rule.action);
        let action = word.map_or_else(|| rule.action.to_string(), |word| t.one(&word).to_owned());
        if !then.contains(&action) {
            then.push(action);
        }
    }
    let mut then = then
        .iter()
        .map(|action| sentence(frame, action))
        .collect::<Vec<_>>()
        .join(&t.say("profile-gap").to_string());
    if !fault.parts.is_empty() {
        let list: Vec<&str> = fault.parts.iter().map(SmolStr::as_str).collect();
        let said = t
            .say("profile-parts-of")
            .with("parts", list.join(&t.say("profile-comma").to_string()));
        then = format!("{then}{}{said}", t.say("profile-gap"));
    }
    tell("profile-then", then);
    tell("profile-recheck", sentence(frame, t.one(&words.recheck)));
    facts
}

/// A text with a capital at its start and a full stop at its end.
fn sentence(frame: &Frame, text: &str) -> String {
    let mut chars = text.trim_end_matches(['.', '。']).chars();
    let first: String = chars
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    format!("{first}{}{}", chars.as_str(), frame.t.say("profile-stop"))
}

/// How often the fault was right, with the likely range; or why that is not known.
fn right(frame: &Frame, verdicts: &BTreeMap<Verdict, u64>) -> (String, String, Option<Markup>) {
    let t = frame.t;
    let of = |kind: CountsAs| -> u64 {
        let counted = verdicts
            .iter()
            .filter(|(verdict, _)| counts_as(**verdict) == kind);
        counted.map(|(_, count)| count).sum()
    };
    let (right, wrong) = (of(CountsAs::Right), of(CountsAs::Wrong));
    match Precision::of(right, wrong) {
        Some(precision) => {
            let likely = t
                .say("profile-likely")
                .with("low", frame.show.percent(precision.low))
                .with("high", frame.show.percent(precision.high));
            let said = t
                .say("profile-right-of")
                .with("percent", frame.show.percent(precision.share()))
                .num("right", precision.right)
                .num("checked", precision.checked)
                .to_string();
            let range = (100.0 * precision.low, 100.0 * precision.high);
            let drawn = whisker(100.0 * precision.share(), range, t.lang(), &said);
            (said, likely.to_string(), Some(Markup::trusted(drawn)))
        }
        None if right + wrong == 0 => (
            t.say("profile-right-none").to_string(),
            t.say("profile-right-needs")
                .num("least", VERDICTS_LEAST)
                .to_string(),
            None,
        ),
        None => (
            t.say("profile-right-unknown").to_string(),
            t.say("profile-right-few")
                .num("right", right)
                .num("checked", right + wrong)
                .num("least", VERDICTS_LEAST)
                .to_string(),
            None,
        ),
    }
}

/// Why devices are blind, most frequent reason first.
fn why_blind(frame: &Frame, counts: &FaultCounts) -> String {
    let t = frame.t;
    let mut reasons: Vec<(&SmolStr, &u64)> = counts.blind_by.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let said: Vec<String> = reasons
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| {
            let words = match reason.as_str() {
                "frozen" => t.say("blind-frozen"),
                "held_back" => t.say("blind-held-back"),
                "not_now" => t.say("blind-not-now"),
                "no_signal" => t.say("blind-no-signal"),
                "stale" => t.say("blind-stale"),
                "invalid" => t.say("blind-invalid"),
                "learning" => t.say("blind-learning"),
                _ => t.say("blind-no-result"),
            };
            words.num("n", **count).to_string()
        })
        .collect();
    said.join(&t.say("profile-comma").to_string())
}

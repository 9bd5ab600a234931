//! What the fleet's page says of the daemon's own work: what is catching up, how fast and how long yet, and what the journal must
//! keep for whom.

use crate::web::Backlog;
use crate::web::Behind;
use crate::web::JournalHolder;
use crate::web::pages::frame::Frame;

use super::bytes;

/// Sentences for people; none while nothing is worth telling.
pub(super) fn told(frame: &Frame, backlog: &Backlog) -> Vec<String> {
    let both = [
        ("fleet-catch-up-detection", &backlog.detection),
        ("fleet-catch-up-series", &backlog.series),
    ];
    let mut told: Vec<String> = both
        .into_iter()
        .filter(|(_, behind)| behind.is_told())
        .map(|(key, behind)| catching_up(frame, key, behind))
        .collect();
    let held = backlog.held.as_ref().map(|held| {
        let t = frame.t;
        let holder = match &held.holder {
            JournalHolder::Series => t.say("fleet-held-series").to_string(),
            JournalHolder::State => t.say("fleet-held-state").to_string(),
            JournalHolder::Other(name) => t
                .say("fleet-held-other")
                .with("name", name.to_string())
                .to_string(),
        };
        let kept = t.say("fleet-held").with("bytes", bytes(held.bytes));
        kept.with("holder", holder).to_string()
    });
    told.extend(held);
    told
}

fn catching_up(frame: &Frame, key: &str, behind: &Behind) -> String {
    let t = frame.t;
    let left = behind.left.map_or_else(
        || t.say("fleet-catch-up-not").to_string(),
        |left| {
            let ms = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            let left = frame.show.duration(ms.max(1_000));
            t.say("fleet-catch-up-left").with("time", left).to_string()
        },
    );
    t.say(key.to_owned())
        .num("n", behind.records)
        .num("rate", behind.per_second)
        .with("left", left)
        .to_string()
}

//! How many devices each fault of a model judges, learns, cannot judge, is about to rise on, or is active on.
//!
//! Asks the worker for a hundred devices at a time, so that counting a large fleet never holds up a message, and keeps what it
//! found: a page shows numbers that are at most some seconds old, or, while newer ones are being counted, the ones before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use smol_str::SmolStr;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::clock;
use super::shared::Question;
use super::view;
use super::worker::STANDINGS_LIMIT;
use crate::detect::Blind;
use crate::detect::FaultStanding;
use crate::detect::Standings;
use crate::telemetry::DAY_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;
use crate::web::FaultCounts;

/// How far back a device counts in the numbers of a profile (DESIGN section 10).
const COUNTED_MS: i64 = 30 * DAY_MS;
/// Numbers are counted anew when they are older than this. Counting ten thousand devices takes the worker a second in all.
const FRESH_MS: i64 = 10 * SECOND_MS;
/// Numbers older than this are not shown any more: whoever asks waits for new ones.
const SHOWN_MS: i64 = 600 * SECOND_MS;
/// Models whose numbers are kept. When full the whole is forgotten and counted anew: there are rarely more than a few dozen.
const MODELS_LIMIT: usize = 256;

type Counts = BTreeMap<SmolStr, FaultCounts>;

/// The numbers, by model.
pub(super) struct Tally {
    questions: mpsc::Sender<Question>,
    kept: Mutex<BTreeMap<SmolStr, Kept>>,
}

struct Kept {
    /// When they were counted, by the monotonic clock, ms.
    at: i64,
    counts: Counts,
    /// Newer ones are being counted.
    counting: bool,
}

impl Tally {
    /// Nothing counted yet.
    pub(super) fn new(questions: mpsc::Sender<Question>) -> Self {
        Self {
            questions,
            kept: Mutex::default(),
        }
    }

    /// The numbers of a model's faults.
    pub(super) async fn of(self: Arc<Self>, model: SmolStr) -> Counts {
        let Some((counts, fresh)) = self.look(&model) else {
            return self.count(&model).await;
        };
        if !fresh {
            tokio::spawn(async move { self.count(&model).await });
        }
        counts
    }

    /// What is kept and may be shown, and whether that is fresh or being counted anew by someone else already.
    fn look(&self, model: &SmolStr) -> Option<(Counts, bool)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get_mut(model)?;
        let age = clock::monotonic_ms() - found.at;
        if age > SHOWN_MS {
            return None;
        }
        let fresh = age <= FRESH_MS || found.counting;
        found.counting |= !fresh;
        Some((found.counts.clone(), fresh))
    }

    async fn count(&self, model: &SmolStr) -> Counts {
        let mut counts = Counts::new();
        let mut after = None;
        while let Some(some) = self.ask(model, after).await {
            let now = clock::wall();
            for standings in &some {
                add(&mut counts, standings, now);
            }
            after = some.last().map(|last| last.device.clone());
            if some.len() < STANDINGS_LIMIT {
                break;
            }
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MODELS_LIMIT {
            kept.clear();
        }
        let found = Kept {
            at: clock::monotonic_ms(),
            counts: counts.clone(),
            counting: false,
        };
        kept.insert(model.clone(), found);
        counts
    }

    /// The next devices; `None` when the worker is gone.
    async fn ask(
        &self,
        model: &SmolStr,
        after: Option<crate::telemetry::DeviceId>,
    ) -> Option<Vec<Standings>> {
        let (reply, answer) = oneshot::channel();
        let question = Question::Standings {
            model: model.clone(),
            after,
            reply,
        };
        self.questions.send(question).await.ok()?;
        answer.await.ok()
    }
}

/// Counts a device, if it was heard of within 30 days.
fn add(counts: &mut Counts, device: &Standings, now: Timestamp) {
    let heard = device
        .last_heard
        .is_some_and(|heard| now.since(heard) <= COUNTED_MS);
    if !heard {
        return;
    }
    for FaultStanding {
        fault,
        state,
        blind,
    } in &device.faults
    {
        let count = counts.entry(fault.clone()).or_default();
        match view::state(*state, blind.as_ref()) {
            "learning" => count.learning += 1,
            "blind" => {
                count.blind += 1;
                let reason = blind.as_ref().map_or("", Blind::code);
                *count.blind_by.entry(reason.into()).or_default() += 1;
            }
            "pending" => {
                count.judged += 1;
                count.pending += 1;
            }
            "active" | "clearing" => {
                count.judged += 1;
                count.active += 1;
            }
            _ => count.judged += 1,
        }
    }
}

//! What must hold after any number of crashes, each looked up in files and answers of the daemon: what was acknowledged is in the
//! journal, nothing else is, and one ticket is open per device and fault.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use foremend::journal::JournalReader;
use foremend::telemetry::Record;
use serde_json::Value;

use crate::lives::Tally;
use crate::place::Place;
use crate::place::json_lines;
use crate::process::Daemon;
use crate::process::wait_for;
use crate::publisher::Said;
use crate::technician::Deed;
use crate::witness::Message;

/// How long anything may take that happens by itself: minutes, for a debug build that replays a long journal on a busy machine.
pub(crate) const SOON: Duration = Duration::from_mins(5);

/// The journal as `foremend journal export` writes it.
pub(crate) struct Exported {
    lines: Vec<Value>,
    messages: Vec<Message>,
}

impl Exported {
    /// Exports a data directory to this file.
    pub(crate) fn of(data: &Path, file: &Path) -> Self {
        Place::command(&["journal", "verify"], &[("--data", data)]);
        Place::command(
            &["journal", "export"],
            &[("--data", data), ("--output", file)],
        );
        let lines = json_lines(&std::fs::read_to_string(file).expect("the export"));
        let messages = lines.iter().filter_map(message).collect();
        Self { lines, messages }
    }

    /// How many controls of a kind it holds.
    fn controls(&self, kind: &str) -> usize {
        self.lines
            .iter()
            .filter(|line| line["control"]["kind"] == kind)
            .count()
    }

    /// Each process said that it began, unless it was killed before it could.
    pub(crate) fn check_starts(&self, tally: &Tally) {
        let started = u64::try_from(self.controls("started")).expect("few");
        assert!(
            (tally.starts - tally.in_the_start..=tally.starts).contains(&started),
            "{started} starts in the journal: {tally:?}"
        );
    }

    /// How many messages it holds.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Every message that was acknowledged is there.
    pub(crate) fn check_holds(&self, what: &str, acknowledged: &[Message]) {
        let found: BTreeSet<&Message> = self.messages.iter().collect();
        let missing: Vec<_> = acknowledged
            .iter()
            .filter(|message| !found.contains(message))
            .map(|(topic, payload)| format!("{topic} {}", String::from_utf8_lossy(payload)))
            .collect();
        assert!(
            missing.is_empty(),
            "{} of {} messages that {what} are not in the journal, the first: {:?}",
            missing.len(),
            acknowledged.len(),
            &missing[..missing.len().min(5)]
        );
    }

    /// Nothing is there that nobody said.
    pub(crate) fn check_invents_nothing(&self, clients: &[Vec<Said>]) {
        let said: BTreeSet<(&str, &[u8])> = clients
            .iter()
            .flatten()
            .map(|said| (said.topic.as_str(), said.payload.as_slice()))
            .collect();
        for (topic, payload) in &self.messages {
            assert!(
                said.contains(&(topic.as_str(), payload.as_slice())),
                "nobody said {topic} {}",
                String::from_utf8_lossy(payload)
            );
        }
    }

    /// What a client said came to the journal in its order, as it is first found there.
    pub(crate) fn check_order(&self, clients: &[Vec<Said>]) {
        let mut first = BTreeMap::new();
        for (place, message) in self.messages.iter().enumerate() {
            first.entry(message).or_insert(place);
        }
        for said in clients {
            let mut before = None;
            let mut known = BTreeSet::new();
            for one in said.iter().filter(|one| one.acknowledged) {
                let message = (one.topic.clone(), one.payload.clone());
                let place = first.get(&message).copied();
                if known.insert(message) {
                    assert!(
                        place > before,
                        "{} came before what was said earlier",
                        one.topic
                    );
                    before = place;
                }
            }
        }
    }
}

fn message(line: &Value) -> Option<Message> {
    let topic = line["topic"].as_str()?.to_owned();
    let payload = match (&line["payload"], &line["payload_hex"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(hex)) => (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
            .collect(),
        _ => panic!("a message without a payload: {line}"),
    };
    Some((topic, payload))
}

/// What clients were told is kept.
pub(crate) fn acknowledged(clients: &[Vec<Said>]) -> Vec<Message> {
    clients
        .iter()
        .flatten()
        .filter(|said| said.acknowledged)
        .map(|said| (said.topic.clone(), said.payload.clone()))
        .collect()
}

/// A daemon that was stopped in order has saved its state as of the journal's end; only a tick may have come too late for it.
pub(crate) fn check_saved(data: &Path) {
    let journal = JournalReader::open(&data.join("journal")).expect("the journal");
    let saved = *journal.stats().bases.last().expect("a saved state");
    let left = journal
        .read(saved.next(), 100, 1 << 20)
        .expect("what came after");
    assert!(
        left.iter().all(|entry| entry.record == Record::Tick),
        "the state is saved at {saved}, and then came {left:?}"
    );
}

/// Whether saved state, series and deliveries are as far as the journal, in a directory that no process has.
pub(crate) fn is_worked_off(data: &Path) -> bool {
    let journal = JournalReader::open(&data.join("journal")).expect("the journal");
    let stats = journal.stats();
    let series = stats.cursors.iter().find(|(name, _)| name == "series");
    stats.bases.last() == Some(&stats.last)
        && series.is_some_and(|(_, position)| *position == stats.last)
        && count(&data.join("store.sqlite"), "SELECT count(*) FROM outbox") == 0
}

/// Waits until nothing waits to be delivered, and the series are not behind.
pub(crate) fn wait_for_deliveries(daemon: &Daemon, data: &Path) {
    let store = data.join("store.sqlite");
    wait_for("every delivery", SOON, || {
        let behind = number(&daemon.text("/metrics"), "foremend_journal_lag_messages");
        (behind == 0 && count(&store, "SELECT count(*) FROM outbox") == 0).then_some(())
    });
}

/// Waits until received = decoded + rejected + duplicate, which holds whenever the pipeline is between two batches.
pub(crate) fn wait_for_accounts(daemon: &Daemon) {
    wait_for("every message to be accounted for", SOON, || {
        let metrics = daemon.text("/metrics");
        let sum = |name: &str| number(&metrics, name);
        let accounted = sum("foremend_messages_decoded_total")
            + sum("foremend_messages_rejected_total")
            + sum("foremend_messages_duplicate_total");
        let received = sum("foremend_messages_received_total");
        (received == accounted).then_some(())
    });
}

/// The sum of a metric, or of the lines of one of its labels.
fn number(metrics: &str, name: &str) -> u64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let ours = rest.starts_with(' ') || rest.starts_with('{');
        ours.then(|| rest.rsplit(' ').next()?.parse::<u64>().ok())?
    };
    metrics.lines().filter_map(value).sum()
}

fn count(file: &Path, sql: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(file, flags).expect("the store");
    db.busy_timeout(SOON).expect("a limit");
    db.query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// At most one ticket per device and fault is open, and no version of any is missing in the audit.
pub(crate) fn check_one_ticket(data: &Path) {
    let tickets = json_lines(&Place::command(&["tickets", "--json"], &[("--data", data)]));
    let mut open = BTreeSet::new();
    for ticket in &tickets {
        let status = ticket["status"].as_str().expect("a status");
        let key = (ticket["device"].to_string(), ticket["fault"].to_string());
        if !["closed", "cancelled"].contains(&status) {
            assert!(open.insert(key), "a second open ticket: {ticket}");
        }
    }
    let whole = "SELECT count(*) FROM tickets JOIN \
        (SELECT ticket AS of, count(*) AS lines, min(version) AS first, max(version) AS last FROM audit GROUP BY ticket) \
        ON of = id WHERE first = 1 AND last = version AND lines = version";
    let store = data.join("store.sqlite");
    let tickets = i64::try_from(tickets.len()).expect("few");
    assert_eq!(
        count(&store, whole),
        tickets,
        "the audit of every ticket is without a gap"
    );
    assert!(tickets >= 3, "several appliances failed: {tickets}");
}

/// What a person was told is done is in the timeline, and once.
pub(crate) fn check_deeds(data: &Path, deeds: &[Deed]) {
    let db = rusqlite::Connection::open(data.join("store.sqlite")).expect("the store");
    let sql = "SELECT 'T-' || audit.ticket, audit.what, blobs.text FROM audit \
        LEFT JOIN blobs ON blobs.id = audit.blob WHERE audit.by IS NOT NULL";
    let mut query = db.prepare(sql).expect("a query");
    let found = query
        .query_map([], |row| {
            Ok(Deed {
                ticket: row.get(0)?,
                action: row.get(1)?,
                text: row.get(2)?,
            })
        })
        .expect("rows");
    let mut found: Vec<Deed> = found.map(|row| row.expect("a row")).collect();
    let mut told = deeds.to_vec();
    found.sort();
    told.sort();
    assert_eq!(
        found, told,
        "what people did, and what they were told is done"
    );
    assert!(told.len() > 5, "somebody worked on the tickets: {told:?}");
}

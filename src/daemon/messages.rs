//! The newest messages of one device: a walk backwards through the journal, as far as a limit lets it.
//!
//! The journal has no index by device; whoever wants to go further back asks again from where the walk ended.

use crate::decode::Context;
use crate::decode::DecodeState;
use crate::decode::Understanding;
use crate::decode::understand;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::web::HeardMessage;
use crate::web::HeardPage;
use crate::web::Said;
use crate::web::Understood;

/// Entries that one walk looks at: at 20 devices a second each a record, an hour; reading them takes about 0.1 s.
const LOOK_ENTRIES: u64 = 65_536;
/// Entries read at once on the way back.
const STEP_ENTRIES: u64 = 2_048;
/// Bytes of memory of one read; a step of larger messages takes more reads.
const READ_BYTES: usize = 8 << 20;

/// The newest messages of `device` before a position (else of all), newest first, at most `limit`, with what is understood of
/// them. `decode` knows the sources.
///
/// # Errors
/// When the journal is damaged there.
pub(super) fn heard(
    journal: &Journal,
    decode: &DecodeState,
    context: Context<'_>,
    device: &DeviceId,
    before: Option<Position>,
    limit: usize,
) -> Result<HeardPage, JournalError> {
    let mut page = walk(journal, decode, device, before, limit)?;
    look_again(&mut page, decode.clone(), context);
    Ok(page)
}

/// Decodes the messages of a page once more, in their order, with a memory of its own: a repetition shows when both lie in the page.
fn look_again(page: &mut HeardPage, mut decode: DecodeState, context: Context<'_>) {
    for heard in page.items.iter_mut().rev() {
        let told = understand(&mut decode, context, heard.received_at, &heard.message);
        heard.hints.clone_from(&told.hints);
        heard.understood = match told.result.as_str() {
            "decoded" => Understood::Said(said(&told)),
            "duplicate" => Understood::Repeated,
            _ => Understood::Nothing,
        };
    }
}

fn said(told: &Understanding) -> Said {
    let records = &told.records;
    Said {
        records: records.len() + told.records_left_out,
        values: records.iter().map(|record| record.readings.len()).sum(),
        event: match &records[..] {
            [only] => only.event.clone(),
            _ => None,
        },
        online: told.online,
        identity: told.identity.is_some(),
    }
}

fn walk(
    journal: &Journal,
    decode: &DecodeState,
    device: &DeviceId,
    before: Option<Position>,
    limit: usize,
) -> Result<HeardPage, JournalError> {
    let end = journal.last().next();
    let mut top = before.unwrap_or(end).min(end);
    let mut page = HeardPage::default();
    let floor = Position(top.0.saturating_sub(LOOK_ENTRIES)).max(journal.first());
    while top > floor {
        let from = Position(top.0.saturating_sub(STEP_ENTRIES)).max(floor);
        for entry in read_between(journal, from, top)?.into_iter().rev() {
            let (position, received_at) = (entry.position, entry.received_at);
            let Record::Message(message) = entry.record else {
                continue;
            };
            if decode.device_of(&message).as_ref() != Some(device) {
                continue;
            }
            if page.items.len() == limit {
                page.next = page.items.last().map(|oldest| oldest.position);
                return Ok(page);
            }
            page.items.push(HeardMessage {
                position,
                received_at,
                message,
                understood: Understood::Nothing,
                hints: Vec::new(),
            });
        }
        top = from;
    }
    page.next = (floor > journal.first()).then_some(floor);
    Ok(page)
}

/// The entries from `from` up to before `to`; none when retention took them meanwhile.
fn read_between(
    journal: &Journal,
    from: Position,
    to: Position,
) -> Result<Vec<Entry>, JournalError> {
    let mut found: Vec<Entry> = Vec::new();
    loop {
        let next = found.last().map_or(from, |last| last.position.next());
        let left = usize::try_from(to.0.saturating_sub(next.0)).unwrap_or(0);
        if left == 0 {
            return Ok(found);
        }
        match journal.read(next, left, READ_BYTES) {
            Ok(more) if more.is_empty() => return Ok(found),
            Ok(more) => found.extend(more),
            Err(JournalError::Gone { .. }) => return Ok(found),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalOptions;
    use crate::profile::Profiles;
    use crate::telemetry::RawMessage;
    use crate::telemetry::Settings;
    use std::sync::mpsc;

    fn message(device: &str, number: usize) -> Record {
        Record::Message(RawMessage {
            source: "test".into(),
            topic: format!("appl/v1/{device}/tele").into(),
            payload: number.to_string().into_bytes().into(),
            qos: 1,
            dup: false,
            retained: false,
            queued: false,
            content_type: None,
            oversize: None,
        })
    }

    fn filled(dir: &std::path::Path, records: Vec<Record>) -> Journal {
        let journal = Journal::open(dir, JournalOptions::default()).unwrap();
        let (done, answer) = mpsc::sync_channel(1);
        let tell = move |result| drop(done.send(result));
        journal.append(records, Box::new(tell)).unwrap();
        answer.recv().unwrap().unwrap();
        journal
    }

    fn asked(journal: &Journal, before: Option<u64>, limit: usize) -> (Vec<u64>, Option<u64>) {
        let mut decode = DecodeState::new();
        decode.configure(&Settings::default());
        let device = "m/A-1".parse().unwrap();
        let profiles = Profiles::default();
        let page = heard(
            journal,
            &decode,
            Context {
                profiles: &profiles,
                offset_s: 0,
            },
            &device,
            before.map(Position),
            limit,
        )
        .unwrap();
        let positions = page.items.iter().map(|item| item.position.0).collect();
        (positions, page.next.map(|next| next.0))
    }

    #[test]
    fn the_newest_come_first_and_pages_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let of = |number: usize| match number % 3 {
            0 => message("m/A-1", number),
            1 => message("m/B-2", number),
            _ => Record::Tick,
        };
        // The device is at 1, 4, 7, 10.
        let journal = filled(dir.path(), (0..12).map(of).collect());
        assert_eq!(asked(&journal, None, 3), (vec![10, 7, 4], Some(4)));
        assert_eq!(asked(&journal, Some(4), 3), (vec![1], None));
        assert_eq!(asked(&journal, None, 4), (vec![10, 7, 4, 1], None));
        assert_eq!(asked(&journal, Some(1), 4), (vec![], None));
        assert_eq!(asked(&journal, Some(99), 1), (vec![10], Some(10)));
    }

    #[test]
    fn a_walk_ends_at_its_limit_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let limit = usize::try_from(LOOK_ENTRIES).unwrap();
        let mut records = vec![message("m/A-1", 0)];
        records.extend(std::iter::repeat_n(Record::Tick, limit));
        let journal = filled(dir.path(), records);
        assert_eq!(asked(&journal, None, 5), (vec![], Some(2)));
        assert_eq!(asked(&journal, Some(2), 5), (vec![1], None));
    }

    #[test]
    fn an_empty_journal_has_no_messages() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), JournalOptions::default()).unwrap();
        assert_eq!(asked(&journal, None, 5), (vec![], None));
    }
}

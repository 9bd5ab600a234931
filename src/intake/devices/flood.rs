//! As much as the server takes: each connection sends its own prepared packets round and round.
//!
//! A packet is prepared once; before it goes out again only the digits of its counter and of its time are changed in place, so that
//! each one is a new message to the receiver and costs the sender next to nothing. Times go on until now and then stand still.

use std::sync::Arc;

use bytes::BufMut as _;
use bytes::BytesMut;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::DevicesError;
use super::DevicesOptions;
use super::Message;
use super::Report;
use super::Speaker;
use super::all_up;
use super::collect;
use super::hellos;
use super::line::Line;
use super::line::Source;
use super::line::told;
use super::shared;
use super::tally::Tally;
use super::wire;
use super::wire::Flags;
use crate::intake::settings::MqttVersion;

/// Counters of prepared messages begin here, so that they have ten digits from the first lap to the last.
const FIRST_SEQ: u64 = 1_000_000_000;
/// Digits of a counter, and of a time in whole seconds until the year 2286.
const DIGITS: usize = 10;

/// Sends the prepared messages of all devices round and round until the limit is reached or `stop` becomes true.
///
/// # Errors
/// When the first attempt at a connection fails.
pub async fn flood(
    options: &DevicesOptions,
    speakers: &[Speaker],
    messages: Vec<Message>,
    tally: &Arc<Tally>,
    mut stop: watch::Receiver<bool>,
) -> Result<Report, DevicesError> {
    let (finish, finishing) = watch::channel(false);
    let (go, begun) = watch::channel(false);
    let shared = shared(options, tally, finishing).await?;
    let hellos = hellos(options, speakers)?;
    let mut packets: Vec<Vec<Packet>> = hellos.iter().map(|_| Vec::new()).collect();
    let now_s = super::now().ms() / 1_000;
    for message in messages {
        let line = message.speaker % hellos.len();
        if let Some(packets) = packets.get_mut(line) {
            packets.extend(Packet::prepare(options.server.version, &message));
        }
    }
    let mut lines = JoinSet::new();
    for (hello, packets) in hellos.into_iter().zip(packets) {
        let source = Laps::new(packets, now_s, begun.clone());
        lines.spawn(Line::new(Arc::clone(&shared), hello, source).run());
    }
    all_up(tally, lines.len(), &stop).await;
    let started = Instant::now();
    go.send_replace(true);
    let over = async {
        match options.limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        () = told(&mut stop) => {}
    }
    finish.send_replace(true);
    Ok(collect(lines, &finish, started, tally).await)
}

/// A PUBLISH as it goes out, but for what changes.
#[derive(Clone, Debug)]
struct Packet {
    bytes: Vec<u8>,
    /// Where the packet id stands.
    id_at: usize,
    /// Where the digits of its counter stand, and the counter in the first lap.
    seq: Option<(usize, u64)>,
    /// Where the whole seconds of its time stand, and the time in the first lap.
    ts: Option<(usize, i64)>,
}

impl Packet {
    /// Only messages of one record are prepared: a batch repeated would contradict itself.
    fn prepare(version: MqttVersion, message: &Message) -> Option<Self> {
        let payload = std::str::from_utf8(&message.payload).ok()?;
        if message.retain || payload.contains("\"recs\"") || !payload.starts_with('{') {
            return None;
        }
        let (payload, seq) = match digits_after(payload, "\"seq\":") {
            Some((at, end)) => {
                let seq = FIRST_SEQ + payload.get(at..end)?.parse::<u64>().ok()?;
                let text = format!("{}{seq}{}", payload.get(..at)?, payload.get(end..)?);
                (text, Some((at, seq)))
            }
            None => (payload.to_owned(), None),
        };
        // The counter stands behind the time, or before it: looked for in the text as it is now.
        let ts = digits_after(&payload, "\"ts\":").and_then(|(at, end)| {
            let seconds = payload.get(at..end)?.parse::<i64>().ok()?;
            (end - at == DIGITS).then_some((at, seconds))
        });
        let seq = seq.and_then(|(_, first)| Some((digits_after(&payload, "\"seq\":")?.0, first)));
        let mut bytes = BytesMut::new();
        let flags = Flags {
            retain: false,
            dup: false,
        };
        wire::publish(
            version,
            (&message.topic, payload.as_bytes()),
            flags,
            0,
            &mut bytes,
        );
        let start = bytes.len() - payload.len();
        let properties = usize::from(version == MqttVersion::V5);
        Some(Self {
            id_at: start - properties - 2,
            seq: seq.map(|(at, first)| (start + at, first)),
            ts: ts.map(|(at, first)| (start + at, first)),
            bytes: bytes.to_vec(),
        })
    }
}

/// The digits that follow this key: where they begin and end.
fn digits_after(text: &str, key: &str) -> Option<(usize, usize)> {
    let at = text.find(key)? + key.len();
    let count = text
        .get(at..)?
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    (count > 0).then_some((at, at + count))
}

/// Writes a number over ten digits.
fn write_digits(bytes: &mut [u8], at: usize, mut number: u64) {
    let Some(digits) = bytes.get_mut(at..at + DIGITS) else {
        return;
    };
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// One connection's packets, round and round.
struct Laps {
    packets: Vec<Packet>,
    next: usize,
    lap: u64,
    /// How far counters move with each lap: beyond every counter of the lap before.
    seqs_per_lap: u64,
    /// How far times move with each lap, s.
    seconds_per_lap: i64,
    now_s: i64,
    begun: watch::Receiver<bool>,
}

impl Laps {
    fn new(packets: Vec<Packet>, now_s: i64, begun: watch::Receiver<bool>) -> Self {
        let seqs = packets.iter().filter_map(|packet| Some(packet.seq?.1));
        let times = || packets.iter().filter_map(|packet| Some(packet.ts?.1));
        let span = times()
            .max()
            .zip(times().min())
            .map_or(0, |(last, first)| last - first);
        Self {
            seqs_per_lap: seqs.max().map_or(0, |last| last - FIRST_SEQ) + 1,
            seconds_per_lap: span + 1,
            packets,
            next: 0,
            lap: 0,
            now_s,
            begun,
        }
    }
}

impl Source for Laps {
    /// Which packet, in which lap.
    type Item = (usize, u64);

    async fn more(&mut self, room: usize) -> Option<Vec<Self::Item>> {
        if self.packets.is_empty() {
            return None;
        }
        self.begun.wait_for(|begun| *begun).await.ok()?;
        let items = (0..room).map(|_| {
            let item = (self.next, self.lap);
            self.next += 1;
            if self.next == self.packets.len() {
                self.next = 0;
                self.lap += 1;
            }
            item
        });
        Some(items.collect())
    }

    fn write(&mut self, (number, lap): &Self::Item, id: u16, dup: bool, out: &mut BytesMut) {
        let Some(packet) = self.packets.get(*number) else {
            return;
        };
        let start = out.len();
        out.put_slice(&packet.bytes);
        let Some(written) = out.get_mut(start..) else {
            return;
        };
        if dup && let Some(first) = written.first_mut() {
            *first |= 0x08;
        }
        if let Some(place) = written.get_mut(packet.id_at..packet.id_at + 2) {
            place.copy_from_slice(&id.to_be_bytes());
        }
        if let Some((at, first)) = packet.seq {
            write_digits(written, at, first + lap * self.seqs_per_lap);
        }
        if let Some((at, first)) = packet.ts {
            let laps = i64::try_from(*lap).unwrap_or(i64::MAX);
            let moved = first.saturating_add(self.seconds_per_lap.saturating_mul(laps));
            write_digits(
                written,
                at,
                u64::try_from(moved.min(self.now_s)).unwrap_or(0),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(payload: &'static str) -> Message {
        Message {
            speaker: 0,
            topic: "appl/v1/m/S-1/tele".into(),
            payload: Bytes::from_static(payload.as_bytes()),
            retain: false,
        }
    }

    fn laps(payloads: &[&'static str], version: MqttVersion) -> Laps {
        let packets = payloads
            .iter()
            .filter_map(|payload| Packet::prepare(version, &message(payload)))
            .collect();
        let (_, begun) = watch::channel(true);
        Laps::new(packets, 1_760_000_100, begun)
    }

    fn sent(laps: &mut Laps, item: (usize, u64), version: MqttVersion) -> (u16, String) {
        let mut out = BytesMut::new();
        laps.write(&item, 77, false, &mut out);
        let at = out.len();
        let payload = out
            .iter()
            .position(|byte| *byte == b'{')
            .expect("a payload");
        let properties = usize::from(version == MqttVersion::V5);
        let id = &out[payload - properties - 2..payload - properties];
        let id = u16::from_be_bytes([id[0], id[1]]);
        (
            id,
            String::from_utf8(out[payload..at].to_vec()).expect("text"),
        )
    }

    #[test]
    fn each_lap_counts_on_and_its_time_goes_on_until_now() {
        let payloads = [
            r#"{"ts":1760000000.25,"seq":7,"s":{"a":1}}"#,
            r#"{"ts":1760000060,"seq":8,"e":"x"}"#,
        ];
        for version in [MqttVersion::V311, MqttVersion::V5] {
            let mut laps = laps(&payloads, version);
            let (id, text) = sent(&mut laps, (0, 0), version);
            assert_eq!(id, 77);
            assert_eq!(text, r#"{"ts":1760000000.25,"seq":1000000007,"s":{"a":1}}"#);
            let (_, text) = sent(&mut laps, (0, 1), version);
            assert_eq!(text, r#"{"ts":1760000061.25,"seq":1000000016,"s":{"a":1}}"#);
            let (_, text) = sent(&mut laps, (1, 2), version);
            assert_eq!(text, r#"{"ts":1760000100,"seq":1000000026,"e":"x"}"#);
        }
    }

    #[test]
    fn what_cannot_be_repeated_is_not_prepared() {
        let batch = message(r#"{"sent":1760000000,"recs":[]}"#);
        assert!(Packet::prepare(MqttVersion::V5, &batch).is_none());
        let mut state = message(r#"{"online":true}"#);
        state.retain = true;
        assert!(Packet::prepare(MqttVersion::V5, &state).is_none());
        let bare = message(r#"{"s":{"a":1}}"#);
        let packet = Packet::prepare(MqttVersion::V5, &bare).expect("prepared");
        assert_eq!((packet.seq, packet.ts), (None, None));
    }
}

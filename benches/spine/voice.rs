//! What the made-up appliances of `twenty.toml` say: 200 bytes of JSON with five readings, and the MQTT packet around it.
//!
//! A load of tens of thousands a second is made beside the daemon on the same cores; so a [`Voice`] makes its packets once and
//! changes only counter, time and packet id in place. Readings change once a second, however often a device speaks, so that a
//! faster device is no more restless one.

/// Length of every payload in bytes.
pub(crate) const BYTES: usize = 200;
/// Seconds after which a device's readings come again.
const VARIANTS: u32 = 16;
/// The first counter; it has as many digits as the last.
const FIRST_SEQ: u32 = 100_000;
const LAST_SEQ: u32 = 999_999;
/// Where the time stands when a packet is made: any that has as many digits.
const SOME_TIME: f64 = 1_772_323_200.0;

/// Five readings of a healthy appliance, each a little different from those of the second before.
pub(crate) fn payload(at: f64, seq: u32, second: u32, device: u32) -> String {
    let noise = |prime: u32, range: u32| f64::from((second * prime + device * 31) % range);
    let payload = format!(
        r#"{{"ts":{at:.3},"seq":{seq},"s":{{"water.outlet_temperature_c":{:.2},"water.inlet_temperature_c":{:.2},"water.flow_rate_lpm":{:.3},"heater.power_average_w":{:.1},"leakage.current_max_ma":{:.3}}}}}"#,
        37.0 + noise(7, 100) / 100.0,
        17.0 + noise(3, 50) / 100.0,
        0.5 + noise(11, 90) / 1000.0,
        1300.0 + noise(13, 900) / 10.0,
        0.1 + noise(17, 80) / 1000.0,
    );
    assert_eq!(payload.len(), BYTES, "{payload}");
    payload
}

/// The topic of a device.
pub(crate) fn topic(prefix: &str, device: u32) -> String {
    format!("appl/v1/twenty/{prefix}-{device:05}/tele")
}

/// Appends a PUBLISH with QoS 1 and returns where its packet id lies in it.
pub(crate) fn publish(topic: &str, payload: &[u8], id: u16, out: &mut Vec<u8>) -> usize {
    out.push(0x32);
    let mut left = 2 + topic.len() + 2 + payload.len();
    loop {
        let low = u8::try_from(left & 127).unwrap_or(0);
        left >>= 7;
        out.push(if left > 0 { low | 128 } else { low });
        if left == 0 {
            break;
        }
    }
    out.extend(u16::try_from(topic.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(topic.as_bytes());
    let id_at = out.len();
    out.extend(id.to_be_bytes());
    out.extend(payload);
    id_at
}

/// A CONNECT of MQTT 3.1.1 with a fresh session, without keep-alive where it is 0.
pub(crate) fn connect(client_id: &str, keep_alive_s: u16) -> Vec<u8> {
    let length = 10 + 2 + client_id.len();
    let mut packet = vec![0x10, u8::try_from(length).expect("a short client id")];
    packet.extend(b"\0\x04MQTT\x04\x02");
    packet.extend(keep_alive_s.to_be_bytes());
    packet.extend([0, u8::try_from(client_id.len()).unwrap_or(u8::MAX)]);
    packet.extend(client_id.as_bytes());
    packet
}

/// One device's packets, ready but for what changes.
pub(crate) struct Voice {
    packets: Vec<Vec<u8>>,
    seq: u32,
    /// When it spoke last, ms.
    last_ms: u64,
    id_at: usize,
    ts_at: usize,
    seq_at: usize,
}

impl Voice {
    pub(crate) fn new(prefix: &str, device: u32) -> Self {
        let topic = topic(prefix, device);
        let mut id_at = 0;
        let packets = (0..VARIANTS)
            .map(|second| {
                let mut packet = Vec::new();
                let payload = payload(SOME_TIME, FIRST_SEQ, second, device);
                id_at = publish(&topic, payload.as_bytes(), 0, &mut packet);
                packet
            })
            .collect();
        let payload_at = id_at + 2;
        let sample = payload(SOME_TIME, FIRST_SEQ, 0, device);
        let behind = |key: &str| payload_at + sample.find(key).expect("a key") + key.len();
        Self {
            packets,
            seq: FIRST_SEQ,
            last_ms: 0,
            id_at,
            ts_at: behind("\"ts\":"),
            seq_at: behind("\"seq\":"),
        }
    }

    /// The next packet, said at this time (ms since 1970), or a little later: two readings of one device in one millisecond would
    /// be one point in the series.
    pub(crate) fn next(&mut self, at_ms: u64, id: u16) -> &[u8] {
        let at_ms = at_ms.max(self.last_ms + 1);
        self.last_ms = at_ms;
        let second = at_ms / 1_000;
        let variant = usize::try_from(second % u64::from(VARIANTS)).unwrap_or(0);
        self.seq += 1;
        assert!(
            self.seq <= LAST_SEQ,
            "a device has no more counters; take more devices"
        );
        let packet = &mut self.packets[variant];
        packet[self.id_at..self.id_at + 2].copy_from_slice(&id.to_be_bytes());
        digits(&mut packet[self.ts_at..self.ts_at + 10], second);
        digits(&mut packet[self.ts_at + 11..self.ts_at + 14], at_ms % 1_000);
        digits(&mut packet[self.seq_at..self.seq_at + 6], self.seq.into());
        packet
    }
}

fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

//! A journal as a bad month makes it: everything that can happen, in an order that a seed decides.

use super::*;
use crate::telemetry::Identity;
use crate::telemetry::WaitFor;

/// Splitmix64: small, and the same everywhere.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `below`.
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    pub(super) fn ms(&mut self, from: i64, below: i64) -> i64 {
        from + i64::try_from(self.roll(below.abs_diff(from))).expect("small")
    }

    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.roll(choices.len() as u64);
        choices[usize::try_from(index).expect("small")]
    }
}

/// What happens when.
pub(crate) type Happening = (Timestamp, Record);

struct Gadget {
    serial: &'static str,
    seq: u64,
    counts: bool,
    temp: i64,
    warm: i64,
    leak: i64,
    trips: u64,
    life: i64,
    last: Option<RawMessage>,
}

struct Teller {
    dice: Dice,
    now: i64,
    told: Vec<Happening>,
    gadgets: Vec<Gadget>,
}

/// About `length` records.
pub(crate) fn story(seed: u64, length: usize) -> Vec<Happening> {
    let gadget = |(index, serial)| Gadget {
        serial,
        seq: 0,
        counts: index % 2 == 0,
        temp: 20,
        warm: 30,
        leak: 1,
        trips: 0,
        life: 80,
        last: None,
    };
    let mut teller = Teller {
        dice: Dice(seed),
        now: START,
        told: Vec::new(),
        gadgets: ["A", "B", "C", "D"]
            .into_iter()
            .enumerate()
            .map(gadget)
            .collect(),
    };
    teller.tell(started());
    teller.tell(profiles(PROFILE));
    teller.tell(source(true));
    for nth in 0..24 {
        // When new, for what is worn later to be compared with.
        teller.one_use(nth % 4);
    }
    while teller.told.len() < length {
        teller.something();
    }
    teller.now += 3 * 3_600_000;
    teller.tell(Record::Tick);
    teller.told
}

impl Teller {
    fn tell(&mut self, record: Record) {
        self.told.push((Timestamp::from_ms(self.now), record));
    }

    fn pass(&mut self, from_s: i64, below_s: i64) {
        self.now += self.dice.ms(from_s * 1_000, below_s * 1_000);
    }

    fn something(&mut self) {
        match self.dice.roll(100) {
            0..=49 => self.sample(),
            50..=56 => self.usage(),
            57..=60 => self.back_fill(),
            61..=63 => self.repeat(),
            64..=67 => self.oddity(),
            68..=70 => self.presence(),
            71..=73 => self.knock(),
            74..=82 => self.ticket(),
            83..=85 => self.device(),
            86..=87 => self.profiles(),
            88..=90 => self.absence(),
            91..=92 => self.stranger(),
            93..=94 => self.pass(1_000, 9_000),
            _ => {
                self.pass(0, 120);
                self.tell(Record::Tick);
            }
        }
    }

    fn drift(&mut self, index: usize) -> String {
        let change = self.dice.roll(12);
        let (temp, leak, life) = (
            self.dice.of(&[20, 21, 30, 52, 65]),
            self.dice.of(&[1, 1, 3, 15]),
            self.dice.of(&[80, 40, 5]),
        );
        let gadget = &mut self.gadgets[index];
        match change {
            0 => gadget.temp = temp,
            1 => gadget.leak = leak,
            2 => gadget.life = life,
            3 => gadget.trips += 1,
            _ => {}
        }
        format!(
            "\"temp\":{},\"leak\":{},\"life\":{},\"trips\":{}",
            gadget.temp, gadget.leak, gadget.life, gadget.trips
        )
    }

    fn gadget(&mut self) -> usize {
        self.dice.of(&[0, 1, 2, 3])
    }

    fn send(&mut self, index: usize, kind: &str, ts_ms: i64, body: &str) {
        let gadget = &mut self.gadgets[index];
        let topic = format!("appl/v1/x-1/{}/{kind}", gadget.serial);
        let seq = if gadget.counts {
            gadget.seq += 1;
            format!("\"seq\":{},\"boot\":1,", gadget.seq)
        } else {
            String::new()
        };
        let sent = message(
            &topic,
            format!(
                "{{{seq}\"ts\":{}.{:03},{body}}}",
                ts_ms / 1_000,
                ts_ms % 1_000
            ),
        );
        gadget.last = Some(sent.clone());
        self.tell(Record::Message(sent));
    }

    fn sample(&mut self) {
        self.pass(1, 70);
        let index = self.gadget();
        let values = self.drift(index);
        let lag = self.dice.of(&[50, 200, 1_500, 1_500, 60_000, 400_000]);
        self.send(
            index,
            "tele",
            self.now - lag,
            &format!("\"s\":{{{values}}}"),
        );
    }

    fn usage(&mut self) {
        let index = self.gadget();
        if self.dice.roll(8) == 0 {
            self.gadgets[index].warm = self.dice.of(&[30, 45]);
        }
        self.one_use(index);
    }

    fn one_use(&mut self, index: usize) {
        let warm = self.gadgets[index].warm + self.dice.ms(0, 3);
        for (run, temp) in [(true, warm), (true, warm), (true, warm + 1), (false, 20)] {
            self.pass(5, 40);
            let body = format!("\"s\":{{\"run\":{run},\"temp\":{temp}}}");
            self.send(index, "tele", self.now - 100, &body);
        }
    }

    fn back_fill(&mut self) {
        self.pass(1, 20);
        let index = self.gadget();
        let count = self.dice.ms(2, 30);
        let step = self.dice.of(&[1_000, 30_000, 200_000]);
        let end = self.now - self.dice.of(&[0, 30_000, 7_200_000]);
        let records: Vec<String> = (0..count)
            .map(|nth| {
                let values = self.drift(index);
                let ts = (end - step * (count - nth)) / 1_000;
                match self.dice.roll(20) {
                    0 => format!("{{\"s\":{{{values}}}}}"),
                    _ => format!("{{\"ts\":{ts},\"s\":{{{values}}}}}"),
                }
            })
            .collect();
        let topic = format!("appl/v1/x-1/{}/batch", self.gadgets[index].serial);
        let body = format!("{{\"recs\":[{}]}}", records.join(","));
        self.tell(Record::Message(message(&topic, body)));
    }

    fn repeat(&mut self) {
        self.pass(0, 30);
        let index = self.gadget();
        if let Some(mut last) = self.gadgets[index].last.clone() {
            match self.dice.roll(3) {
                0 => last.dup = true,
                1 => last.retained = true,
                _ => {}
            }
            self.tell(Record::Message(last));
        }
    }

    fn oddity(&mut self) {
        self.pass(0, 30);
        let index = self.gadget();
        let values = self.drift(index);
        match self.dice.roll(4) {
            0 => {
                let off = self.dice.of(&[-90 * 86_400_000, 86_400_000, -7_200_000]);
                self.send(
                    index,
                    "tele",
                    self.now + off,
                    &format!("\"s\":{{{values}}}"),
                );
            }
            1 => {
                let topic = format!("appl/v1/x-1/{}/tele", self.gadgets[index].serial);
                let mut queued = message(&topic, format!("{{\"s\":{{{values}}}}}"));
                queued.queued = self.dice.roll(2) == 0;
                self.tell(Record::Message(queued));
            }
            2 => self.send(
                index,
                "tele",
                self.now,
                "\"s\":{\"temp\":\"nan\",\"leak\":300,\"x\":[1,2]}",
            ),
            _ => {
                let topic = self.dice.of(&[
                    "appl/v1/x-1/A/tele",
                    "appl/v1/x-1",
                    "shop/1",
                    "appl/v1/x-1/B/hum",
                ]);
                let body = self
                    .dice
                    .of(&["", "{", "[1]", "\u{0}", "{\"ts\":\"x\"}", "null"]);
                self.tell(Record::Message(message(topic, body)));
            }
        }
    }

    fn presence(&mut self) {
        self.pass(0, 30);
        let online = self.dice.roll(2) == 0;
        let (topic, body) = match self.dice.roll(4) {
            0 => (
                "appl/v1/gateway/G/state",
                format!("{{\"online\":{online}}}"),
            ),
            1 => (
                "appl/v1/x-1/C/ident",
                "{\"serial\":\"C\",\"model\":\"x-1\",\"via\":\"G\",\"tz\":\"Asia/Shanghai\"}"
                    .into(),
            ),
            2 => (
                "appl/v1/x-1/D/ident",
                "{\"serial\":\"D\",\"model\":\"x-1\",\"via\":\"G\",\"hw\":\"B2\"}".into(),
            ),
            _ => (
                "appl/v1/x-1/B/state",
                format!("{{\"online\":{online},\"fw\":\"1.2\"}}"),
            ),
        };
        let mut sent = message(topic, body);
        sent.retained = self.dice.roll(3) == 0;
        self.tell(Record::Message(sent));
    }

    fn knock(&mut self) {
        self.pass(0, 60);
        let index = self.gadget();
        self.send(index, "event", self.now - 300, "\"e\":\"knock\"");
    }

    fn ticket(&mut self) {
        self.pass(0, 600);
        let ticket = format!("T-{}", self.dice.roll(25));
        let until = Timestamp::from_ms(self.now + self.dice.ms(-1_000, 7_200_000));
        let record = match self.dice.roll(9) {
            0 => on_ticket(&ticket, TicketAction::Acknowledge),
            1 => on_ticket(&ticket, TicketAction::Assign { to: "mo".into() }),
            2 => on_ticket(&ticket, TicketAction::Start),
            3 => on_ticket(
                &ticket,
                TicketAction::Wait {
                    reason: WaitFor::Part,
                    until,
                },
            ),
            4 => on_ticket(&ticket, TicketAction::Comment { blob: "b".into() }),
            5 => resolve(&ticket, &["P1"]),
            6 => resolve(&ticket, &[]),
            7 => on_ticket(&ticket, TicketAction::Close),
            _ => on_ticket(&ticket, TicketAction::Reopen { reason: None }),
        };
        self.tell(record);
    }

    fn device(&mut self) {
        self.pass(0, 60);
        let device = self
            .dice
            .of(&["x-1/A", "x-1/B", "x-1/C", "x-1/D", "gateway/G"]);
        let action = match self.dice.roll(20) {
            0 => DeviceAction::Retire,
            1 => DeviceAction::Adopt,
            2..=10 => DeviceAction::Set {
                identity: Identity {
                    tz: Some("Asia/Shanghai".into()),
                    via: Some("G".into()),
                    ..Identity::default()
                },
            },
            _ => DeviceAction::PartReplaced {
                part: self.dice.of(&["P1", "P2", "P2", "P9"]).into(),
                lot: None,
            },
        };
        self.tell(on_device(device, action));
    }

    fn profiles(&mut self) {
        self.pass(0, 60);
        let text = match self.dice.roll(5) {
            0 => PROFILE.replace("temp > 60 °C", "temp > 63 °C"),
            1 => PROFILE.replace("Hotter than when new", "Hotter"),
            2 => PROFILE.replace("[fault.trips]", "[fault.trips]\nstate = \"shadow\""),
            3 => PROFILE.replace("leak >= 10 mA", "leak >= 9 mA"),
            _ => PROFILE.to_owned(),
        };
        self.tell(profiles(&text));
    }

    fn absence(&mut self) {
        match self.dice.roll(5) {
            0 | 1 => {
                self.pass(0, 60);
                self.tell(source(false));
                self.pass(10, 4_000);
                self.tell(source(true));
            }
            2 => {
                let to = Timestamp::from_ms(self.now + self.dice.ms(-3_000_000, 3_000_000));
                let from = Timestamp::from_ms(self.now);
                self.tell(Record::Control(Control::ClockStep { from, to }));
                self.now = self.now.max(to.ms());
            }
            _ => {
                self.pass(0, 60);
                self.tell(Record::Tick);
                self.pass(10, 30_000);
                self.tell(started());
                self.pass(0, 3);
                self.tell(source(true));
            }
        }
    }

    fn stranger(&mut self) {
        self.pass(0, 30);
        let strange = message("appl/v1/y-9/Q/tele", "{\"s\":{\"temp\":70}}");
        self.tell(Record::Message(strange.clone()));
        let seen = self.gadget();
        let again = match (self.dice.roll(2), &self.gadgets[seen].last) {
            (0, Some(last)) => last.clone(),
            _ => strange,
        };
        let received_at = Timestamp::from_ms(self.now - self.dice.ms(0, 9_000_000));
        self.tell(Record::Control(Control::Replay {
            position: Position(7),
            received_at,
            message: again,
        }));
    }
}

/// The entries that a journal would hold.
pub(crate) fn entries(story: &[Happening]) -> Vec<Entry> {
    (1..)
        .zip(story)
        .map(|(position, (received_at, record))| Entry {
            position: Position(position),
            received_at: *received_at,
            record: record.clone(),
        })
        .collect()
}

//! What every test here needs: a journal that can hold back or refuse, a source under test, a publisher.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use foremend::intake::BrokerSettings;
use foremend::intake::Done;
use foremend::intake::IntakeError;
use foremend::intake::MqttVersion;
use foremend::intake::Sink;
use foremend::intake::SinkError;
use foremend::intake::SourceSnapshot;
use foremend::intake::SourceStatus;
use foremend::telemetry::Control;
use foremend::telemetry::RawMessage;
use foremend::telemetry::Record;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Returns when the condition holds; fails the test when it never does.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let waiting = async {
        while !condition() {
            look.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "waited in vain: {what}"
    );
}

/// How the journal answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Durable at once.
    Prompt,
    /// Nothing is durable until asked for.
    Hold,
    /// Refused.
    Full,
}

/// A journal in memory.
pub(crate) struct Journal {
    mode: Mutex<Mode>,
    kept: Mutex<Vec<Record>>,
    held: Mutex<Vec<(Vec<Record>, Done)>>,
}

impl Journal {
    pub(crate) fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self {
            mode: Mutex::new(mode),
            kept: Mutex::default(),
            held: Mutex::default(),
        })
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// What is durable.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.kept.lock().unwrap().clone()
    }

    pub(crate) fn messages(&self) -> Vec<RawMessage> {
        messages(&self.records())
    }

    /// How many messages were handed over and are held back.
    pub(crate) fn held(&self) -> usize {
        let held = self.held.lock().unwrap();
        held.iter()
            .map(|(records, _)| messages(records).len())
            .sum()
    }

    /// Makes everything durable that is held back, one append after the other.
    pub(crate) fn release(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        for (records, done) in held {
            self.keep(records, done);
        }
    }

    /// The same for the oldest append alone.
    pub(crate) fn release_first(&self) {
        let (records, done) = self.held.lock().unwrap().remove(0);
        self.keep(records, done);
    }

    /// Lets go of what is held back as if a write had failed.
    pub(crate) fn fail(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        for (_, done) in held {
            done(Err(SinkError::Failed));
        }
    }

    fn keep(&self, records: Vec<Record>, done: Done) {
        self.kept.lock().unwrap().extend(records);
        done(Ok(()));
    }
}

impl Sink for Journal {
    fn append(&self, records: Vec<Record>, done: Done) {
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Prompt => self.keep(records, done),
            Mode::Hold => self.held.lock().unwrap().push((records, done)),
            Mode::Full => done(Err(SinkError::Full)),
        }
    }
}

pub(crate) fn messages(records: &[Record]) -> Vec<RawMessage> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Message(message) => Some(message.clone()),
            _ => None,
        })
        .collect()
}

/// The payloads as text.
pub(crate) fn payloads(messages: &[RawMessage]) -> Vec<String> {
    messages
        .iter()
        .map(|message| String::from_utf8_lossy(&message.payload).into_owned())
        .collect()
}

/// The payloads as numbers, each once.
pub(crate) fn numbers(messages: &[RawMessage]) -> BTreeSet<u32> {
    payloads(messages)
        .iter()
        .map(|text| text.parse().unwrap())
        .collect()
}

/// `up`, `down`, or the payload, in order.
pub(crate) fn story(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| match record {
            Record::Message(message) => String::from_utf8_lossy(&message.payload).into_owned(),
            Record::Control(Control::SourceUp { .. }) => "up".into(),
            Record::Control(Control::SourceDown { .. }) => "down".into(),
            other => format!("{other:?}"),
        })
        .collect()
}

/// A source under test.
pub(crate) struct Running {
    pub(crate) status: Arc<SourceStatus>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), IntakeError>>,
}

impl Running {
    pub(crate) fn start(settings: BrokerSettings, journal: &Arc<Journal>) -> Self {
        let status = Arc::new(SourceStatus::new(&settings.name));
        let (stop, stopped) = watch::channel(false);
        let sink: Arc<dyn Sink> = Arc::clone(journal) as Arc<dyn Sink>;
        let task = tokio::spawn(foremend::intake::run(
            settings,
            sink,
            Arc::clone(&status),
            stopped,
        ));
        Self { status, stop, task }
    }

    pub(crate) fn now(&self) -> SourceSnapshot {
        self.status.snapshot()
    }

    /// Stops in order.
    pub(crate) async fn stop(self) -> Result<(), IntakeError> {
        self.ask_to_stop();
        self.end().await
    }

    /// Begins to stop.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.send(true).ok();
    }

    /// Waits for an end of its own.
    pub(crate) async fn end(self) -> Result<(), IntakeError> {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the source did not end")
            .expect("the source panicked")
    }

    /// Vanishes without a word, as with `kill -9`.
    pub(crate) async fn vanish(self) {
        self.task.abort();
        self.task.await.ok();
    }
}

/// Settings for a broker at this address, with delays that suit a test.
pub(crate) fn settings(url: &str, version: MqttVersion) -> BrokerSettings {
    let mut settings = BrokerSettings::new(
        "plant",
        url.parse().expect("an address"),
        "foremend-test".into(),
        vec!["appl/v1/#".into()],
    );
    settings.version = version;
    settings.limits.backoff_first = Duration::from_millis(20);
    settings.limits.backoff_most = Duration::from_millis(200);
    settings
}

/// The topic that messages of these tests go to.
pub(crate) const TOPIC: &str = "appl/v1/ts-flash5/A1/tele";

/// Publishes payloads at a QoS over MQTT 5 and returns when the broker has answered for the last of them.
pub(crate) async fn publish(port: u16, qos: u8, retain: bool, payloads: Vec<Vec<u8>>) {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    let level = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)];
    let mut options = rumqttc::v5::MqttOptions::new(
        format!("publisher-{}", rand::random::<u32>()),
        "127.0.0.1",
        port,
    );
    options.set_outgoing_inflight_upper_limit(90);
    let (client, mut connection) = rumqttc::v5::AsyncClient::new(options, 64);
    let count = payloads.len();
    let sending = tokio::spawn(async move {
        for payload in payloads {
            client.publish(TOPIC, level, retain, payload).await.unwrap();
        }
        client
    });
    let (mut answers, mut written) = (0, 0);
    let answered = async {
        while if qos == 0 { written } else { answers } < count {
            match connection.poll().await.expect("the publisher's connection") {
                rumqttc::v5::Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => {
                    answers += 1;
                }
                rumqttc::v5::Event::Outgoing(rumqttc::Outgoing::Publish(_)) => written += 1,
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered)
        .await
        .expect("the broker to answer");
    let client = sending.await.unwrap();
    client.disconnect().await.unwrap();
    while connection.poll().await.is_ok() {}
}

/// The numbers of a range as payloads.
pub(crate) fn range(numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    numbers
        .map(|number| number.to_string().into_bytes())
        .collect()
}

//! A person who works on the tickets through every crash: each action is asked for until it is answered, with the same
//! idempotency key, as a program would.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::place::Address;
use crate::place::Door;
use crate::place::pass;
use crate::process::try_http;

/// Pause between two actions: of someone very quick, so that many a kill meets an action under way.
const PAUSE: Duration = Duration::from_millis(40);
/// Pause before the same request is tried again.
const AGAIN: Duration = Duration::from_millis(20);
/// Tries without any answer before the run is given up: some minutes.
const TRIES: u32 = 15_000;

/// An action that was answered with success.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deed {
    pub(crate) ticket: String,
    pub(crate) action: String,
    /// What the person wrote.
    pub(crate) text: Option<String>,
}

/// A person at work.
pub(crate) struct Technician {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Deed>>,
}

impl Technician {
    pub(crate) fn start(door: &Door) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, door) = (Arc::clone(&stop), door.clone());
        let thread = thread::spawn(move || work(&door, &stopped));
        Self { stop, thread }
    }

    /// Ends the work once the last request is answered.
    pub(crate) fn end(self) -> Vec<Deed> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a person who goes home")
    }
}

fn work(door: &Door, stopped: &AtomicBool) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut steps: BTreeMap<String, u64> = BTreeMap::new();
    while !stopped.load(Ordering::Relaxed) {
        pass(PAUSE);
        let list = ask(door, "GET", "/api/v1/tickets?limit=500&open=true", None);
        let open = list.1["items"].as_array().cloned().unwrap_or_default();
        // Whoever waits longest.
        let next = open
            .iter()
            .filter_map(|ticket| ticket["id"].as_str())
            .min_by_key(|id| steps.get(*id).copied().unwrap_or(0));
        let Some(ticket) = next else { continue };
        let step = steps.entry(ticket.to_owned()).or_default();
        let key = format!("{ticket}-{step}");
        let (action, body) = action_of(*step, &key);
        *step += 1;
        let path = format!("/api/v1/tickets/{ticket}/actions");
        let (status, _) = ask(door, "POST", &path, Some((&key, &body)));
        if (200..300).contains(&status) {
            deeds.push(Deed {
                ticket: ticket.to_owned(),
                action: action.to_owned(),
                text: body["text"].as_str().map(str::to_owned),
            });
        }
    }
    deeds
}

fn action_of(step: u64, key: &str) -> (&'static str, Value) {
    let action = [
        "acknowledge",
        "comment",
        "start",
        "comment",
        "resolve",
        "close",
    ][usize::try_from(step % 6).expect("small")];
    let body = match action {
        "comment" => json!({"action": action, "text": format!("note {key}")}),
        "resolve" => json!({"action": action, "verdict": "confirmed_fault"}),
        _ => json!({"action": action}),
    };
    (action, body)
}

/// Asks until there is an answer that is not about the daemon's own state.
fn ask(door: &Door, method: &str, path: &str, action: Option<(&str, &Value)>) -> (u16, Value) {
    for _ in 0..TRIES {
        let answer = door
            .address()
            .ok_or_else(|| io::Error::other("the door is closed"))
            .and_then(|address| once(&address, method, path, action));
        match answer {
            // A request with this key is still under way: the crash was not of the daemon but of our connection.
            Ok((409, body))
                if body["detail"]
                    .as_str()
                    .is_some_and(|text| text.contains("under way")) => {}
            Ok((status, body)) if status < 500 => return (status, body),
            _ => {}
        }
        pass(AGAIN);
    }
    panic!("{method} {path} is never answered");
}

fn once(
    address: &Address,
    method: &str,
    path: &str,
    action: Option<(&str, &Value)>,
) -> io::Result<(u16, Value)> {
    let bearer = format!("Bearer {}", address.token);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(action.map(|(key, _)| ("idempotency-key", key)));
    let body = action.map(|(_, body)| body.to_string());
    let (status, text) = try_http(method, &format!("{}{path}", address.http), &headers, body)?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

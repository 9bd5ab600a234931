//! The fence: which messages came out of the broker's queue.
//!
//! After each connection a publisher of its own sends one message to a topic that the consumer has subscribed to. The broker
//! queues in order, so what arrives before it was queued while we were away. A fence carries a token of its connection: one
//! that itself lay in the queue lifts nothing. If none comes back, the limit lifts it.

use bytes::Bytes;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::client::ConnectOptions;
use super::client::Connection;
use super::client::Event;
use super::client::Failure;
use super::settings::BrokerSettings;

/// What the client id of the publisher ends with.
const CLIENT_ID_SUFFIX: &str = "-fence";

/// The fence of one connection.
pub(super) struct Fence {
    topic: String,
    token: Bytes,
    until: Option<Instant>,
    sender: Option<AbortHandle>,
}

impl Fence {
    /// Before the connection is up: nothing has been queued, as far as we know.
    pub(super) fn new(settings: &BrokerSettings) -> Self {
        Self {
            topic: settings.fence_topic(),
            token: format!("{:016x}", rand::random::<u64>()).into(),
            until: None,
            sender: None,
        }
    }

    /// The broker had kept our session: until the fence comes back, or the limit, what arrives was queued.
    pub(super) fn raise(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// Sends the fence, from a task of its own. Once; it tries again until the limit.
    pub(super) fn send(&mut self, settings: &BrokerSettings) {
        if self.sender.is_some() {
            return;
        }
        let task = send(settings.clone(), self.topic.clone(), self.token.clone());
        self.sender = Some(tokio::spawn(task).abort_handle());
    }

    /// Whether a message that arrives now came out of the broker's queue.
    pub(super) fn is_waiting(&mut self, now: impl Fn() -> Instant) -> bool {
        // The clock is read only while it matters, not for each message of a day.
        let Some(until) = self.until else {
            return false;
        };
        if now() < until {
            return true;
        }
        tracing::debug!(topic = %self.topic, "the fence did not come back in time");
        self.until = None;
        false
    }

    /// A message on a fence's topic arrived. True when it was this connection's own.
    pub(super) fn arrived(&mut self, payload: &[u8]) -> bool {
        let ours = payload == self.token.as_ref();
        if ours {
            self.until = None;
        }
        ours
    }

    /// Whether the topic is that of a fence, ours or another installation's: neither is a message of a device.
    pub(super) fn is_fence(topic: &str) -> bool {
        topic
            .strip_prefix("foremend/")
            .and_then(|rest| rest.strip_suffix("/fence"))
            .is_some_and(|client_id| !client_id.contains('/'))
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.abort();
        }
    }
}

/// Publishes the fence, and tries again until the limit.
async fn send(settings: BrokerSettings, topic: String, token: Bytes) {
    let limits = settings.limits;
    let attempts = async {
        let mut backoff = Backoff::new(limits.backoff_first, limits.backoff_most);
        while let Err(error) = publish(&settings, &topic, &token).await {
            tracing::warn!(source = %settings.name, topic, error, "the fence could not be sent; the broker's rules have to let '{}{CLIENT_ID_SUFFIX}' write there", settings.client_id);
            tokio::time::sleep(backoff.next(rand::random())).await;
        }
    };
    // Past the limit the fence has no use any more.
    if tokio::time::timeout(limits.fence, attempts).await.is_err() {
        tracing::debug!(source = %settings.name, topic, "gave up sending the fence");
    }
}

/// One connection, one message.
async fn publish(settings: &BrokerSettings, topic: &str, token: &Bytes) -> Result<(), String> {
    let client_id = format!("{}{CLIENT_ID_SUFFIX}", settings.client_id);
    let options = ConnectOptions::publisher(settings, client_id)?;
    let mut connection = Connection::open(options);
    let requests = connection.requests();
    let mut sent = false;
    loop {
        match connection.poll().await {
            Ok(Event::Up { .. }) => {
                if !requests.try_publish(topic, token) {
                    return Err("no room for one message".into());
                }
            }
            Ok(Event::Published { refused, .. }) => {
                if let Some(reason) = refused {
                    return Err(reason);
                }
                sent = true;
                if !requests.try_disconnect() {
                    return Ok(());
                }
            }
            Ok(Event::Disconnected) => return Ok(()),
            // The broker has it; how the connection ended does not matter.
            Err(_) if sent => return Ok(()),
            Err(Failure::Lost(error)) => return Err(error),
            Err(Failure::Closed) => return Err("the broker closed the connection".into()),
            Err(Failure::TakenOver) => return Err("another client has the same id".into()),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fence() -> Fence {
        Fence::new(&BrokerSettings::new(
            "plant",
            "mqtt://b".parse().expect("an address"),
            "id".into(),
            vec!["#".into()],
        ))
    }

    #[test]
    fn a_fence_is_lifted_by_its_own_token_only() {
        let mut fence = fence();
        let now = Instant::now();
        assert!(
            !fence.is_waiting(|| now),
            "without a session nothing was queued"
        );
        fence.raise(now + Duration::from_secs(30));
        let old = super::tests::fence().token.clone();
        assert!(!fence.arrived(&old));
        assert!(
            fence.is_waiting(|| now),
            "an old fence out of the queue lifted it"
        );
        let own = fence.token.clone();
        assert!(fence.arrived(&own));
        assert!(!fence.is_waiting(|| now));
    }

    #[test]
    fn a_fence_that_never_comes_back_is_lifted_by_its_limit() {
        let mut fence = fence();
        let now = Instant::now();
        fence.raise(now + Duration::from_secs(30));
        assert!(fence.is_waiting(|| now + Duration::from_millis(29_999)));
        assert!(!fence.is_waiting(|| now + Duration::from_secs(30)));
        assert!(!fence.is_waiting(|| now), "once lifted it stays so");
    }

    #[test]
    fn only_fence_topics_are_fences() {
        assert!(Fence::is_fence("foremend/a/fence"));
        assert!(!Fence::is_fence("foremend/a/b/fence"));
        assert!(!Fence::is_fence("foremend/fence"));
        assert!(!Fence::is_fence("appl/v1/a/b/fence"));
    }
}

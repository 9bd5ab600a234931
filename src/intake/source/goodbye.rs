//! The orderly end of a connection to a broker.
//!
//! Leaves the decision to end to the source. Keeps: what became durable is acknowledged before the DISCONNECT, and the session stays
//! with the broker.

use std::sync::Arc;
use std::time::Duration;

use super::Ended;
use super::Source;
use super::Visit;
use crate::intake::client::Connection;
use crate::intake::client::Event;
use crate::intake::status::add;

/// How long a broker may take to close the connection after our DISCONNECT.
const GOODBYE: Duration = Duration::from_secs(1);

impl Source {
    /// A stop in order: nothing more is taken; what was taken becomes durable and is acknowledged; then DISCONNECT, which
    /// leaves the session with the broker. What arrives meanwhile comes again on the next start.
    pub(super) async fn finish(&mut self, connection: &mut Connection, visit: &Visit) -> Ended {
        if self.up_since.is_none() {
            return Ended::Stopped;
        }
        self.close();
        let backlog = Arc::clone(self.handover.backlog());
        let orderly = async {
            let settled = backlog.empty();
            tokio::pin!(settled);
            let (mut is_settled, mut is_asked) = (false, false);
            loop {
                tokio::select! {
                    () = &mut settled, if !is_settled => is_settled = true,
                    event = connection.poll() => match event {
                        Ok(Event::Disconnected) => break,
                        Err(_) => return,
                        Ok(Event::Message(delivery)) if delivery.qos == 0 => add(&self.status.qos0_dropped, 1),
                        Ok(_) => {}
                    },
                }
                self.lane.send_on();
                if is_settled && !is_asked && !self.lane.is_waiting() {
                    // Without room for it, after the next acknowledgement.
                    is_asked = visit.requests.try_disconnect();
                }
            }
            // The broker closes now. Closing first, with something of its unread, would reset the connection and could
            // take the last acknowledgements with it.
            let closed = async { while connection.poll().await.is_ok() {} };
            tokio::time::timeout(GOODBYE, closed).await.ok();
        };
        if tokio::time::timeout(self.settings.limits.stop, orderly)
            .await
            .is_err()
        {
            tracing::warn!(source = %self.settings.name, "stopped before every message was acknowledged; the rest comes again");
        }
        Ended::Stopped
    }
}

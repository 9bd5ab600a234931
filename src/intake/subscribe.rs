//! What one connection subscribed to, and what the broker said to it.
//!
//! A refusal is said loudly and kept for the status: a broker's rules that let us connect but not listen look like silence.

use std::collections::VecDeque;

use smol_str::SmolStr;

use super::client::Requests;
use super::fence::Fence;
use super::filter;
use super::settings::BrokerSettings;
use super::settings::MqttVersion;

/// Topic filters in one SUBSCRIBE; some hosted brokers take no more than 8.
const FILTERS_PER_SUBSCRIBE: usize = 8;

/// The subscriptions of one connection.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// SUBSCRIBE packets without an answer yet, in order.
    unanswered: VecDeque<Vec<SmolStr>>,
    /// The session's earlier subscriptions are in force, whatever is asked now.
    stands: bool,
    granted: usize,
    refused: Vec<String>,
}

impl Subscriptions {
    /// Asks for what is needed; `stands`: the broker kept the session that this process subscribed on. False when the
    /// requests found no room.
    pub(super) fn ask(
        &mut self,
        settings: &BrokerSettings,
        stands: bool,
        requests: &Requests,
    ) -> bool {
        self.stands = stands;
        for filters in packets(settings, stands) {
            if !requests.try_subscribe(&filters) {
                return false;
            }
            self.unanswered.push_back(filters);
        }
        true
    }

    /// Takes the broker's answer to the oldest SUBSCRIBE.
    pub(super) fn answered(&mut self, source: &str, answers: &[Option<String>]) {
        let filters = self.unanswered.pop_front().unwrap_or_default();
        for (filter, answer) in filters.iter().zip(answers) {
            match answer {
                Some(reason) => {
                    tracing::error!(source, %filter, reason, "the broker refuses the subscription");
                    self.refused.push(format!("{filter}: {reason}"));
                }
                None if Fence::is_fence(filter) => {}
                None => self.granted += 1,
            }
        }
    }

    /// Answers are still to come.
    pub(super) fn is_waiting(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// Nothing was granted that could bring a message.
    pub(super) fn is_useless(&self) -> bool {
        self.granted == 0 && !self.stands && !self.refused.is_empty()
    }

    /// Filter and reason of each refusal.
    pub(super) fn refused(&self) -> &[String] {
        &self.refused
    }
}

/// What to subscribe to, per packet. MQTT 5 brokers send retained copies for new subscriptions only, so everything is asked for
/// each time. With 3.1.1 each SUBSCRIBE brings all of them again: the filters are asked for when the broker has no session,
/// and once per process, since they may have changed.
fn packets(settings: &BrokerSettings, stands: bool) -> Vec<Vec<SmolStr>> {
    let fence = SmolStr::from(settings.fence_topic());
    let mut filters = settings.filters.clone();
    filters.push(fence.clone());
    let mut filters = filter::without_covered(&filters);
    if stands && settings.version == MqttVersion::V311 {
        filters.retain(|filter| *filter == fence);
    }
    filters
        .chunks(FILTERS_PER_SUBSCRIBE)
        .map(<[SmolStr]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(version: MqttVersion, filters: &[&str]) -> BrokerSettings {
        let filters = filters.iter().map(SmolStr::new).collect();
        let address = "mqtt://b".parse().expect("an address");
        let mut settings = BrokerSettings::new("plant", address, "id".into(), filters);
        settings.version = version;
        settings
    }

    #[test]
    fn only_mqtt_3_on_a_session_that_stands_asks_for_the_fence_alone() {
        let all = vec![vec![SmolStr::new("a/#"), SmolStr::new("foremend/id/fence")]];
        let fence = vec![vec![SmolStr::new("foremend/id/fence")]];
        assert_eq!(packets(&settings(MqttVersion::V5, &["a/#"]), true), all);
        assert_eq!(packets(&settings(MqttVersion::V311, &["a/#"]), false), all);
        assert_eq!(packets(&settings(MqttVersion::V311, &["a/#"]), true), fence);
    }

    #[test]
    fn a_fence_that_a_filter_covers_is_not_asked_for_twice() {
        let all = packets(&settings(MqttVersion::V5, &["#"]), false);
        assert_eq!(all, vec![vec![SmolStr::new("#")]]);
        assert!(packets(&settings(MqttVersion::V311, &["#"]), true).is_empty());
    }

    #[test]
    fn many_filters_are_spread_over_packets() {
        let filters: Vec<String> = (0..20).map(|n| format!("a/{n}")).collect();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let sizes: Vec<usize> = packets(&settings(MqttVersion::V5, &filters), false)
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(sizes, [8, 8, 5]);
    }

    #[test]
    fn subscriptions_are_useless_when_nothing_but_the_fence_was_granted() {
        let asked = |stands: bool, answers: &[Option<String>]| {
            let mut subscriptions = Subscriptions {
                unanswered: VecDeque::from([vec!["a/#".into(), "foremend/id/fence".into()]]),
                stands,
                ..Subscriptions::default()
            };
            subscriptions.answered("plant", answers);
            assert!(!subscriptions.is_waiting());
            subscriptions.is_useless()
        };
        let no = Some("not authorised".to_owned());
        assert!(asked(false, &[no.clone(), None]));
        assert!(asked(false, &[no.clone(), no.clone()]));
        assert!(!asked(false, &[None, no.clone()]));
        assert!(!asked(true, &[no, None]));
    }
}

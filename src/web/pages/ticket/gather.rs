//! What a ticket's page is made of, read from store and daemon; each part on its own may be missing.
//!
//! The ticket and its timeline have to be there; what is slow or gone beside them leaves its place empty.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use crate::desk::Ticket;
use crate::profile::Fault;
use crate::profile::Program;
use crate::store::DeviceRow;
use crate::store::QueueView;
use crate::store::TicketFilter;
use crate::store::TicketSort;
use crate::store::TimelineEntry;
use crate::telemetry::Verdict;
use crate::web::LiveDevice;
use crate::web::LiveFault;
use crate::web::WebState;
use crate::web::pages::queue::cases::cases;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::show::Show;

/// How long the pipeline may think about a device before the page is sent without it.
const LIVE_WAIT: Duration = Duration::from_secs(2);
/// Other tickets of the device that are looked at: years of them.
const SIBLINGS_LIMIT: usize = 50;
/// Names offered for assigning.
const PEOPLE_LIMIT: usize = 50;

/// All of it.
pub(super) struct Gathered {
    pub(super) ticket: Ticket,
    /// Oldest first.
    pub(super) timeline: Vec<TimelineEntry>,
    pub(super) device: Option<DeviceRow>,
    pub(super) live: Option<LiveDevice>,
    pub(super) program: Option<Arc<Program>>,
    /// Other tickets of the device, newest first.
    pub(super) siblings: Vec<Ticket>,
    pub(super) place: Option<Place>,
    /// Who has tickets now.
    pub(super) people: Vec<SmolStr>,
    /// Of other tickets of this fault.
    pub(super) verdicts: BTreeMap<Verdict, u64>,
}

/// Where in the queue the case stands.
pub(super) struct Place {
    /// From 1.
    pub(super) number: usize,
    pub(super) of: usize,
    /// Ticket that names the case before.
    pub(super) before: Option<SmolStr>,
    /// Ticket that names the case after.
    pub(super) after: Option<SmolStr>,
}

impl Gathered {
    /// Reads everything.
    pub(super) async fn read(state: &WebState, id: &str) -> Result<Self, Refusal> {
        let Some(ticket) = state.store.ticket(id).await? else {
            return Err(no_ticket(state, id).await);
        };
        let timeline = state.store.timeline(id).await?;
        let live = tokio::time::timeout(LIVE_WAIT, state.backend.live(&ticket.device)).await;
        let verdicts = state
            .store
            .verdicts(ticket.device.model(), &ticket.fault, &ticket.id);
        let verdicts = verdicts.await?;
        let filter = TicketFilter {
            device: Some(ticket.device.clone()),
            sort: TicketSort::Opened,
            limit: SIBLINGS_LIMIT,
            ..TicketFilter::default()
        };
        let mut siblings = state.store.tickets(&filter).await?.items;
        siblings.retain(|other| other.id != ticket.id);
        let lines = state.store.queue(QueueView::Open).await?;
        let mut people: Vec<SmolStr> = lines.iter().filter_map(|l| l.assignee.clone()).collect();
        people.sort_unstable();
        people.dedup();
        people.truncate(PEOPLE_LIMIT);
        let cases = cases(lines);
        let names = |at: Option<usize>| {
            let lead = cases.get(at?)?.lead()?;
            Some(lead.id.clone())
        };
        let place = cases
            .iter()
            .position(|case| case.lines.iter().any(|line| line.id == ticket.id))
            .map(|at| Place {
                number: at + 1,
                of: cases.len(),
                before: names(at.checked_sub(1)),
                after: names(Some(at + 1)),
            });
        Ok(Self {
            device: state.store.device(&ticket.device).await?,
            live: live.ok().flatten(),
            program: state.backend.profile(ticket.device.model()),
            ticket,
            timeline,
            siblings,
            place,
            people,
            verdicts,
        })
    }

    /// The fault as the profile in force has it.
    pub(super) fn rule(&self) -> Option<&Fault> {
        let faults = &self.program.as_ref()?.faults;
        faults.iter().find(|rule| rule.name == self.ticket.fault)
    }

    /// How times of the device are written: in its own zone, where it tells one.
    pub(super) fn local(&self, show: Show) -> Show {
        let told = self
            .device
            .as_ref()
            .and_then(|device| device.identity.tz.as_ref())
            .and_then(|name| name.parse().ok());
        told.map_or(show, |zone| show.in_zone(zone))
    }

    /// The fault as it stands on the device now.
    pub(super) fn now(&self) -> Option<&LiveFault> {
        let faults = &self.live.as_ref()?.faults;
        faults.iter().find(|live| live.fault == self.ticket.fault)
    }
}

async fn no_ticket(state: &WebState, id: &str) -> Refusal {
    let newest = TicketFilter {
        sort: TicketSort::Opened,
        limit: 1,
        ..TicketFilter::default()
    };
    let newest = state.store.tickets(&newest).await.ok();
    let newest = newest.and_then(|page| page.items.into_iter().next());
    let shown: String = id.chars().take(40).collect();
    Refusal::no_ticket(shown.into(), newest.map(|ticket| ticket.id))
}

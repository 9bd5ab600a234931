//! A made-up service desk at work: people who see tickets, call, wait, repair, give verdicts, and are wrong now and then.
//!
//! It watches the ticket changes of a played pipeline and answers with the controls that people would have sent, at later times
//! in working hours. It knows no device and no fault: what it does follows from severity, kind and parts of a ticket. It leaves
//! the texts that people write to [`super::remarks`] and playing to [`super::history`]. All of it is seeded.
//!
//! **Invariant:** a repair is ordered at least [`LEAD_MS`] before it happens, so that the fleet may live ahead of the desk.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt::Write as _;

use smol_str::SmolStr;
use smol_str::format_smolstr;

use super::chance::Chance;
use super::hours::on_duty;
use super::hours::working;
use super::remarks;
use super::remarks::Remark;
use crate::desk::Change;
use crate::desk::Ticket;
use crate::desk::TicketChange;
use crate::desk::TicketKind;
use crate::desk::TicketStatus;
use crate::desk::next_status;
use crate::profile::Severity;
use crate::telemetry::Control;
use crate::telemetry::DAY_MS;
use crate::telemetry::DeviceAction;
use crate::telemetry::DeviceId;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::TicketAction;
use crate::telemetry::Timestamp;
use crate::telemetry::Verdict;
use crate::telemetry::WaitFor;

/// No repair happens earlier than this after it was ordered: nobody is at the door sooner.
pub const LEAD_MS: i64 = 4 * HOUR_MS;
/// Stream of chance, apart from those of the devices.
const STREAM: u64 = 0x9e09;
const AGENTS: [&str; 4] = ["agent-1", "agent-2", "agent-3", "agent-4"];
const TECHNICIAN: &str = "technician-7";

/// Someone is to exchange or clean what fails in a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Which device.
    pub device: DeviceId,
    /// When it is done.
    pub at: Timestamp,
}

/// Something that a person does.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// What.
    pub control: Control,
    /// The text that it names: blob id and content. It is to be in the store before the control.
    pub text: Option<(SmolStr, String)>,
}

/// How the work on a ticket goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Seen, repaired, done.
    Repaired,
    /// The same after waiting for a part.
    WaitsForPart,
    /// The customer answers late.
    WaitsForCustomer,
    /// The customer needed an explanation.
    Explained,
    /// Nothing was found.
    NothingFound,
    /// The first attempt did not help.
    DidNotHelp,
    /// Nobody looks at it for days.
    Overlooked,
}

/// What each dozen tickets meet, shuffled: the rule is right in ten of twelve.
const DOZEN: [Course; 12] = [
    Course::Repaired,
    Course::Repaired,
    Course::Repaired,
    Course::Repaired,
    Course::Overlooked,
    Course::WaitsForPart,
    Course::WaitsForPart,
    Course::WaitsForCustomer,
    Course::WaitsForCustomer,
    Course::Explained,
    Course::NothingFound,
    Course::DidNotHelp,
];

/// What is to be done at a time, if the ticket still allows it then.
#[derive(Clone, Debug)]
struct Step {
    ticket: SmolStr,
    by: SmolStr,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    Acknowledge,
    Assign(&'static str),
    Start,
    Wait(WaitFor, Timestamp),
    Say(Remark),
    Fit(SmolStr),
    Resolve(Verdict, Vec<SmolStr>, Remark),
    Close,
}

/// The people of the desk.
pub struct People {
    chance: Chance,
    steps: BTreeMap<(Timestamp, u64), Step>,
    numbered: u64,
    /// The open tickets as they are now.
    tickets: BTreeMap<SmolStr, Ticket>,
    courses: VecDeque<Course>,
    agent: usize,
}

impl People {
    /// A desk that has seen nothing.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed, usize::MAX, STREAM),
            steps: BTreeMap::new(),
            numbered: 0,
            tickets: BTreeMap::new(),
            courses: VecDeque::new(),
            agent: 0,
        }
    }

    /// Sees a change; plans what is to be done about it. The repair that it orders, if it does.
    pub fn watch(&mut self, change: &TicketChange) -> Option<Repair> {
        let ticket = &change.ticket;
        if ticket.is_open() {
            self.tickets.insert(ticket.id.clone(), ticket.clone());
        } else {
            self.tickets.remove(&ticket.id);
        }
        if ticket.kind == TicketKind::Notice {
            return None;
        }
        match (change.change, change.what.as_str()) {
            (Change::Opened, _) => self.begin(ticket, change.at),
            (Change::Reopened, "repair_did_not_help" | "raised_again")
                if change.ticket.status != TicketStatus::Waiting =>
            {
                self.begin_again(ticket, change.at)
            }
            _ => None,
        }
    }

    /// When someone does something next.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.steps.first_key_value().map(|((at, _), _)| *at)
    }

    /// What is done next; `None` when the ticket no longer allows it.
    pub fn act(&mut self) -> Option<Deed> {
        let ((at, _), step) = self.steps.pop_first()?;
        let Step { ticket, by, act } = step;
        let current = self.tickets.get(&ticket)?;
        if let Act::Fit(part) = act {
            let action = DeviceAction::PartReplaced {
                lot: Some(format_smolstr!("L26{:02}", self.chance.span_ms(1, 12))),
                part,
            };
            let device = current.device.clone();
            let control = Control::Device { device, action, by };
            return Some(Deed {
                at,
                control,
                text: None,
            });
        }
        let status = current.status;
        let (action, text) = self.action(act)?;
        next_status(status, action.basic())?;
        let control = Control::Ticket {
            ticket,
            action,
            by,
            expected_version: None,
            key: None,
        };
        Some(Deed { at, control, text })
    }

    fn action(&mut self, act: Act) -> Option<(TicketAction, Option<(SmolStr, String)>)> {
        Some(match act {
            Act::Acknowledge => (TicketAction::Acknowledge, None),
            Act::Assign(to) => (TicketAction::Assign { to: to.into() }, None),
            Act::Start => (TicketAction::Start, None),
            Act::Wait(reason, until) => (TicketAction::Wait { reason, until }, None),
            Act::Close => (TicketAction::Close, None),
            Act::Say(remark) => {
                let (blob, text) = self.text(remark);
                (
                    TicketAction::Comment { blob: blob.clone() },
                    Some((blob, text)),
                )
            }
            Act::Resolve(verdict, parts, remark) => {
                let (blob, text) = self.text(remark);
                let note = Some(blob.clone());
                let action = TicketAction::Resolve {
                    verdict,
                    parts,
                    note,
                };
                (action, Some((blob, text)))
            }
            Act::Fit(_) => return None,
        })
    }

    /// A text under an id of its own, in one of the two languages.
    fn text(&mut self, remark: Remark) -> (SmolStr, String) {
        let mut id = String::with_capacity(32);
        for _ in 0..4 {
            // Writing to a string cannot fail.
            write!(id, "{:08x}", self.chance.span_ms(0, 0xffff_ffff)).ok();
        }
        let choice = self.chance.pick(remarks::of(remark));
        let text = if self.chance.happens(0.5) {
            choice.1
        } else {
            choice.0
        };
        (id.into(), text.to_owned())
    }

    fn minutes(&mut self, low: i64, high: i64) -> i64 {
        self.chance.span_ms(low * MINUTE_MS, high * MINUTE_MS)
    }

    fn plan(&mut self, at: Timestamp, ticket: &Ticket, by: &str, act: Act) {
        self.numbered += 1;
        let step = Step {
            ticket: ticket.id.clone(),
            by: by.into(),
            act,
        };
        self.steps.insert((at, self.numbered), step);
    }

    fn next_agent(&mut self) -> &'static str {
        self.agent = (self.agent + 1) % AGENTS.len();
        AGENTS.get(self.agent).copied().unwrap_or("agent-1")
    }

    fn next_course(&mut self, severity: Severity) -> Course {
        if severity == Severity::S1 {
            // What is dangerous is never explained away.
            return Course::Repaired;
        }
        if self.courses.is_empty() {
            let mut dozen = DOZEN.to_vec();
            while !dozen.is_empty() {
                let last = i64::try_from(dozen.len()).unwrap_or(1) - 1;
                let at = usize::try_from(self.chance.span_ms(0, last)).unwrap_or(0);
                self.courses.push_back(dozen.swap_remove(at));
            }
        }
        self.courses.pop_front().unwrap_or(Course::Repaired)
    }

    /// A new ticket: who sees it when, and what comes of it.
    fn begin(&mut self, ticket: &Ticket, now: Timestamp) -> Option<Repair> {
        let agent = self.next_agent();
        let course = self.next_course(ticket.severity);
        if ticket.severity == Severity::S1 {
            let seen = on_duty(now + self.minutes(6, 20));
            return Some(self.urgent(ticket, now, seen, agent));
        }
        let wait = match (course, ticket.severity) {
            (Course::Overlooked, _) => self.minutes(18 * 60, 30 * 60),
            (_, Severity::S2) => self.minutes(20, 150),
            _ => self.minutes(60, 540),
        };
        let seen = working(now, wait);
        self.plan(seen, ticket, agent, Act::Acknowledge);
        self.plan(seen + MINUTE_MS, ticket, agent, Act::Assign(agent));
        let called = working(seen, self.minutes(15, 120));
        self.plan(called, ticket, agent, Act::Say(Remark::Called));
        match course {
            Course::Repaired | Course::Overlooked => Some(self.visit(ticket, now, called, agent)),
            Course::WaitsForPart => {
                let come = working(called, self.minutes(18 * 60, 36 * 60));
                let until = come + DAY_MS;
                self.plan(
                    called + 2 * MINUTE_MS,
                    ticket,
                    agent,
                    Act::Wait(WaitFor::Part, until),
                );
                self.plan(come, ticket, agent, Act::Say(Remark::PartCame));
                Some(self.visit(ticket, now, come + 5 * MINUTE_MS, agent))
            }
            Course::WaitsForCustomer => {
                let answered = working(called, self.minutes(8 * 60, 30 * 60));
                let until = answered + 2 * DAY_MS;
                self.plan(
                    called + 2 * MINUTE_MS,
                    ticket,
                    agent,
                    Act::Wait(WaitFor::Customer, until),
                );
                self.plan(answered, ticket, agent, Act::Say(Remark::Answered));
                Some(self.visit(ticket, now, answered + 5 * MINUTE_MS, agent))
            }
            Course::Explained | Course::NothingFound => {
                let (verdict, remark) = if course == Course::Explained {
                    (Verdict::UserEducation, Remark::Explained)
                } else {
                    (Verdict::NoFaultFound, Remark::NothingFound)
                };
                let done = working(called, self.minutes(5 * 60, 14 * 60)).max(now + LEAD_MS);
                self.plan(called + 3 * MINUTE_MS, ticket, agent, Act::Start);
                self.plan(
                    done,
                    ticket,
                    agent,
                    Act::Resolve(verdict, Vec::new(), remark),
                );
                // Whatever it was: it is gone.
                Some(repair(ticket, done))
            }
            Course::DidNotHelp => {
                let done = working(called, self.minutes(2 * 60, 8 * 60));
                self.plan(called + 3 * MINUTE_MS, ticket, agent, Act::Start);
                let act = Act::Resolve(Verdict::ConfirmedFault, Vec::new(), Remark::Reset);
                self.plan(done, ticket, agent, act);
                None
            }
        }
    }

    /// The first repair did not help, or the fault came back: someone goes there with the part.
    fn begin_again(&mut self, ticket: &Ticket, now: Timestamp) -> Option<Repair> {
        let under_way = self
            .steps
            .values()
            .any(|step| step.ticket == ticket.id && matches!(step.act, Act::Resolve(..)));
        if under_way {
            return None;
        }
        // Nobody asks whether all is well, or closes it, now.
        self.steps.retain(|_, step| step.ticket != ticket.id);
        let agent = self.next_agent();
        let seen = working(now, self.minutes(20, 180));
        self.plan(seen, ticket, agent, Act::Acknowledge);
        self.plan(seen + 4 * MINUTE_MS, ticket, agent, Act::Say(Remark::Again));
        Some(self.visit(ticket, now, seen + 6 * MINUTE_MS, agent))
    }

    /// Something dangerous: called at once, and someone is there the same or the next day.
    fn urgent(
        &mut self,
        ticket: &Ticket,
        now: Timestamp,
        seen: Timestamp,
        agent: &'static str,
    ) -> Repair {
        self.plan(seen, ticket, agent, Act::Acknowledge);
        let called = seen + self.minutes(3, 12);
        self.plan(called, ticket, agent, Act::Say(Remark::CalledUrgently));
        self.visit(ticket, now, called + 2 * MINUTE_MS, agent)
    }

    /// A technician goes there, fits the part, and gives a verdict; a day later somebody asks and closes.
    fn visit(
        &mut self,
        ticket: &Ticket,
        now: Timestamp,
        agreed: Timestamp,
        agent: &'static str,
    ) -> Repair {
        let hours = if ticket.severity == Severity::S1 {
            self.minutes(3 * 60, 7 * 60)
        } else {
            self.minutes(6 * 60, 16 * 60)
        };
        let arrives = working(agreed, hours).max(now + LEAD_MS);
        self.plan(agreed, ticket, agent, Act::Assign(TECHNICIAN));
        let until = arrives + 2 * HOUR_MS;
        self.plan(
            agreed + MINUTE_MS,
            ticket,
            agent,
            Act::Wait(WaitFor::Visit, until),
        );
        self.plan(arrives, ticket, TECHNICIAN, Act::Start);
        let fitted: Vec<SmolStr> = ticket.parts.first().cloned().into_iter().collect();
        let mut done = arrives + self.minutes(15, 50);
        for part in &fitted {
            self.plan(done, ticket, TECHNICIAN, Act::Fit(part.clone()));
            done = done + self.minutes(3, 9);
        }
        let act = Act::Resolve(Verdict::ConfirmedFault, fitted, Remark::Repaired);
        self.plan(done, ticket, TECHNICIAN, act);
        if self.chance.happens(0.75) {
            let asked = working(done, self.minutes(8 * 60, 16 * 60));
            self.plan(asked, ticket, agent, Act::Say(Remark::AllWell));
            self.plan(asked + MINUTE_MS, ticket, agent, Act::Close);
        }
        repair(ticket, arrives)
    }
}

/// The device of a ticket is to be well from then on.
fn repair(ticket: &Ticket, at: Timestamp) -> Repair {
    Repair {
        device: ticket.device.clone(),
        at,
    }
}

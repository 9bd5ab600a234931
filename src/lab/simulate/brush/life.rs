//! What happens to a brush: its days, its sessions, its dock, and what a failing part does on its own.

use super::Brush;
use super::DRIVE_HZ;
use super::HEAD;
use super::cell::Use;
use super::person::Brushing;
use super::real;
use super::whole;
use crate::lab::simulate::failure::FailureKind;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// Between measuring at rest and the start of the motor.
const WAKES_MS: i64 = 4 * SECOND_MS;
/// Into the run, when the battery is measured under load.
const LOAD_MS: i64 = 30 * SECOND_MS;
/// Length of a sector.
const SECTOR_MS: i64 = 30 * SECOND_MS;
/// Below so many points the motor does not start.
const EMPTY_PCT: i64 = 4;
/// How often a dock restarts by itself: once in so many days.
const DOCK_RESTARTS_DAYS: f64 = 15.0;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// The dock has power for the first time.
    SwitchOn,
    /// A local day begins, and is planned.
    Day,
    /// The periodic messages of the dock.
    Regular,
    /// The daily ones.
    Daily,
    /// The dock restarts.
    DockRestart,
    /// Somebody takes the brush.
    TakeUp,
    /// The motor starts.
    Start,
    /// Force and pressure, every second.
    Second,
    /// The next sector.
    Sector,
    /// The battery is measured under load.
    Load,
    /// The motor stops.
    Finish,
    /// The brush comes onto its dock.
    Dock,
    /// The brush starts by itself.
    SelfStart,
    /// The handle restarts.
    Restart,
    /// The clock of the handle jumps.
    ClockJump,
}

/// A session under way.
pub(super) struct Session {
    pub(super) brushing: Brushing,
    pub(super) start: Timestamp,
    pub(super) ends: Timestamp,
    /// The motor stops by itself.
    pub(super) lost: bool,
    pub(super) start_pct: i64,
    pub(super) sector: i64,
    /// Motor current, mA.
    pub(super) ma: f64,
    /// The pressure sensor is stuck.
    pub(super) stuck: bool,
}

impl Brush {
    pub(super) fn happens(&mut self, at: Timestamp, doing: Doing) {
        match doing {
            Doing::SwitchOn => self.switch_on(at),
            Doing::Day => self.plan_day(at),
            Doing::Regular => {
                self.notice_charge(at);
                self.tell_regularly(at);
                let period = self.cadence.period_ms(10 * MINUTE_MS);
                self.plan(at + period, Doing::Regular);
            }
            Doing::Daily => self.day_is_counted(at),
            Doing::DockRestart => {
                self.count.dock_restarts += 1;
                self.powered_at = at;
            }
            Doing::TakeUp => self.take_up(at),
            Doing::Start => self.start(at),
            Doing::Second => self.second(at),
            Doing::Sector => self.sector(at),
            Doing::Load => self.tell_battery(at),
            Doing::Finish => self.finish(at),
            Doing::Dock => self.dock(at),
            Doing::SelfStart if self.session.is_none() => self.link.event(at, "self_start", |_| {}),
            Doing::SelfStart => {}
            Doing::Restart => self.link.event(at, "reset", |d| {
                d.text("cause", "brownout");
            }),
            Doing::ClockJump => {
                let by_s = self.chance.span_ms(2 * 3_600, 9 * 3_600);
                self.link.event(at, "clock_step", |d| {
                    d.whole("by_s", by_s);
                });
            }
        }
    }

    fn switch_on(&mut self, at: Timestamp) {
        self.link.switch_on(at, false);
        self.tell_changes(at);
        self.day_is_counted(at);
        self.plan(at + MINUTE_MS, Doing::Regular);
        self.plan_day(at);
    }

    /// The rest of the day of this instant, and the next day's planning.
    fn plan_day(&mut self, at: Timestamp) {
        let midnight = self.place.midnight(at);
        for session in self.person.day(midnight) {
            if session > at {
                self.plan(session, Doing::TakeUp);
            }
        }
        let water = self.strength(FailureKind::WaterInHandle, at);
        let button = self.strength(FailureKind::ButtonSticks, at);
        for (doing, a_day) in [
            (Doing::SelfStart, 0.8 * water + 0.6 * button),
            (Doing::Restart, 1.4 * water),
            (Doing::ClockJump, if water > 0.6 { 0.1 } else { 0.0 }),
            (Doing::DockRestart, 1.0 / DOCK_RESTARTS_DAYS),
        ] {
            let times = whole(a_day + self.chance.unit());
            for _ in 0..times {
                let when = midnight + self.chance.span_ms(MINUTE_MS, DAY_MS - MINUTE_MS);
                if when > at {
                    self.plan(when, doing);
                }
            }
        }
        let daily = midnight + DAY_MS + self.chance.span_ms(2 * HOUR_MS, 4 * HOUR_MS);
        self.plan(daily, Doing::Daily);
        self.plan(midnight + DAY_MS, Doing::Day);
    }

    /// The day's report, and a new brush head where one is due.
    fn day_is_counted(&mut self, at: Timestamp) {
        let worn = self.strength(FailureKind::HeadWorn, at);
        let over = -self.head_days(at) > self.head.tolerated;
        if over || self.head.worn && worn == 0.0 {
            (self.head.days, self.head.brushing_s) = HEAD;
            self.head.since = at;
        }
        self.head.worn = worn > 0.0;
        self.tell_daily(at, worn);
    }

    /// Days that the head would have left if it were the one it should be.
    pub(super) fn head_days(&self, at: Timestamp) -> f64 {
        self.head.days - real(at.since(self.head.since)) / real(DAY_MS)
    }

    fn take_up(&mut self, at: Timestamp) {
        if self.session.is_some() {
            return;
        }
        if self.docked {
            self.undock(at);
            self.plan(at + 12 * SECOND_MS, Doing::TakeUp);
            return;
        }
        if self.cell.pct() < EMPTY_PCT {
            self.plan(at + MINUTE_MS, Doing::Dock);
            return;
        }
        self.tell_battery(at);
        let mut brushing = self.person.brushes();
        let cuts_off = self.strength(FailureKind::CutsOff, at);
        let lost = self.chance.happens(0.85 * cuts_off);
        if lost {
            brushing.lasts_ms = self.chance.span_ms(8 * SECOND_MS, 26 * SECOND_MS);
        }
        let wear = 1.0 + 0.4 * self.strength(FailureKind::DriveWears, at);
        let scatter = 1.0 + 0.012 * self.chance.noise();
        let start = at + WAKES_MS;
        self.session = Some(Session {
            brushing,
            start,
            ends: start + brushing.lasts_ms,
            lost,
            start_pct: self.cell.pct(),
            sector: 0,
            ma: brushing.mode.ma * self.drive.0 * wear * scatter,
            stuck: self.strength(FailureKind::PressureSticks, at) >= 0.3,
        });
        self.plan(start, Doing::Start);
    }

    fn start(&mut self, at: Timestamp) {
        let Some(session) = &self.session else { return };
        let (ends, ma) = (session.ends, session.ma);
        let word = session.brushing.mode.word;
        self.using = Use::Run(ma);
        self.mode = word;
        self.link.event(at, "session_start", |d| {
            d.text("mode", word);
        });
        self.link.tele(at, |s| {
            s.text("state", "running").text("mode", word);
        });
        self.sector(at);
        if at + LOAD_MS + SECOND_MS < ends {
            self.plan(at + LOAD_MS, Doing::Load);
        }
        self.plan(ends - SECOND_MS, Doing::Load);
        self.plan(ends, Doing::Finish);
        self.plan(at + SECOND_MS, Doing::Second);
    }

    fn second(&mut self, at: Timestamp) {
        let Some(session) = &self.session else { return };
        let ends = session.ends;
        if at >= ends {
            return;
        }
        self.tell_force(at);
        let period = self.cadence.period_ms(SECOND_MS);
        self.plan(at + period, Doing::Second);
    }

    fn sector(&mut self, at: Timestamp) {
        let Some(session) = &mut self.session else {
            return;
        };
        if at >= session.ends || session.sector == 4 {
            return;
        }
        session.sector += 1;
        let number = session.sector;
        self.link.tele(at, |s| {
            s.whole("sector", number).whole("sector_s", 0);
        });
        self.plan(at + SECTOR_MS, Doing::Sector);
    }

    fn finish(&mut self, at: Timestamp) {
        let Some(session) = self.session.take() else {
            return;
        };
        self.using = Use::Rest;
        let lasts_s = real(at.since(session.start)) / 1_000.0;
        self.count.sessions += 1;
        self.count.motor_s += lasts_s;
        self.head.brushing_s -= lasts_s;
        let button = self.strength(FailureKind::ButtonSticks, at);
        let extra = whole(button * self.chance.between(4.0, 8.0));
        self.tell_session(at, &session, lasts_s, session.brushing.presses + extra);
        if self.tells_hz {
            let wear = self.strength(FailureKind::DriveWears, at);
            let hz = self.drive.1 - DRIVE_HZ * 0.045 * wear + 0.25 * self.chance.noise();
            self.link.event(at, "drive", |d| {
                d.number("hz", hz, 1);
            });
        }
        self.link.tele(at, |s| {
            s.text("state", "idle");
        });
        if self.person.docks(at, self.cell.pct()) {
            let after = self.chance.span_ms(MINUTE_MS, 9 * MINUTE_MS);
            self.plan(at + after, Doing::Dock);
        }
    }

    fn dock(&mut self, at: Timestamp) {
        if self.session.is_some() {
            self.plan(at + 5 * MINUTE_MS, Doing::Dock);
            return;
        }
        if self.docked {
            return;
        }
        self.docked = true;
        self.using = Use::Dock;
        self.charging = self.cell.amps(Use::Dock, self.wear(at)) > 0.0;
        self.tell_changes(at);
        if self.charging {
            self.count.charges += 1;
            self.link.event(at, "charge_start", |_| {});
        }
    }

    fn undock(&mut self, at: Timestamp) {
        self.docked = false;
        self.using = Use::Rest;
        if self.charging {
            self.charging = false;
            self.link.event(at, "charge_stop", |_| {});
        }
        self.tell_changes(at);
    }

    /// On the dock: the cell is full, or the coil gives nothing any more, or something again.
    fn notice_charge(&mut self, at: Timestamp) {
        if !self.docked {
            return;
        }
        let charges = self.cell.amps(Use::Dock, self.wear(at)) > 0.0;
        if charges == self.charging {
            return;
        }
        self.charging = charges;
        let event = match (charges, self.cell.is_full()) {
            (true, _) => "charge_start",
            (false, true) => "charge_full",
            (false, false) => "charge_stop",
        };
        self.link.event(at, event, |_| {});
        self.tell_changes(at);
    }
}

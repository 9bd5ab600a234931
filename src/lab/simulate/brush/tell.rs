//! What a brush and its dock say, in the words of their convention.

use super::Brush;
use super::life::Session;
use super::person::TARGET_MS;
use super::whole;
use crate::lab::simulate::plan::Cadence;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;

/// What a stuck pressure sensor shows: state, raw value, mean and greatest force in N.
const STUCK: (i64, i64, f64, f64) = (2, 3_120, 3.9, 4.2);
/// Share of a session with too little pressure.
const LOW_SHARE: f64 = 0.02;
/// Raw value of the force sensor per newton.
const RAW_PER_N: f64 = 700.0;

impl Brush {
    /// Everything periodic that is due: the dock's own signals, the battery on the dock, the hourly repetition of what changes.
    pub(super) fn tell_regularly(&mut self, at: Timestamp) {
        let rssi = -57.0 + 2.5 * self.chance.noise();
        let uptime_s = at.since(self.powered_at) / 1_000;
        let restarts = self.count.dock_restarts;
        self.link.tele(at, |s| {
            s.whole("dock.rssi", whole(rssi))
                .whole("dock.uptime_s", uptime_s)
                .whole("dock.reboots", restarts);
        });
        if self.docked {
            self.tell_battery(at);
        }
        if at.since(self.told) >= HOUR_MS {
            self.tell_changes(at);
        }
    }

    /// What is told on change and hourly.
    pub(super) fn tell_changes(&mut self, at: Timestamp) {
        self.told = at;
        let state = match (&self.session, self.charging) {
            (Some(_), _) => "running",
            (None, true) => "charging",
            (None, false) => "idle",
        };
        let (docked, charging, mode) = (self.docked, self.charging, self.mode);
        self.link.tele(at, |s| {
            s.text("state", state)
                .text("mode", mode)
                .flag("dock.docked", docked)
                .flag("dock.charging", charging);
        });
    }

    /// The five values of the battery.
    pub(super) fn tell_battery(&mut self, at: Timestamp) {
        let wear = self.wear(at);
        let reading = self.cell.reading(self.using, wear, &mut self.chance);
        self.link.tele(at, |s| {
            s.whole("battery_pct", reading.pct)
                .number("battery_mv", reading.mv, 0)
                .number("battery_ma", reading.ma, 0)
                .number("battery_temp_c", reading.temp_c, 1)
                .number("runtime_left_s", reading.runtime_s, 0);
        });
    }

    /// Pressure and force of this second. A slow link leaves the raw force out.
    pub(super) fn tell_force(&mut self, at: Timestamp) {
        let Some(session) = &self.session else { return };
        let throw = self.chance.unit();
        let (mean, greatest) = session.brushing.force_n;
        let (state, force_n) = if throw < session.brushing.high {
            (2, greatest - 0.2)
        } else if throw > 1.0 - LOW_SHARE {
            (0, 0.2)
        } else {
            (1, mean)
        };
        let raw = RAW_PER_N * (force_n + 0.15 * self.chance.noise()).max(0.0);
        let (state, raw) = if session.stuck {
            (STUCK.0, STUCK.1)
        } else {
            (state, whole(raw))
        };
        let all = self.cadence == Cadence::Full;
        self.link.tele(at, |s| {
            s.whole("pressure_state", state);
            if all {
                s.whole("force_raw", raw);
            }
        });
    }

    /// The end of a session, with what the handle made of it.
    pub(super) fn tell_session(
        &mut self,
        at: Timestamp,
        session: &Session,
        lasts_s: f64,
        on_events: i64,
    ) {
        let brushing = &session.brushing;
        let (high, low, force_n) = if session.stuck {
            (0.99, 0.0, (STUCK.2, STUCK.3))
        } else {
            (brushing.high, LOW_SHARE, brushing.force_n)
        };
        let end_pct = self.cell.pct();
        let stop = match (session.lost, brushing.timer) {
            (true, _) => "lost",
            (false, true) => "timer",
            (false, false) => "button",
        };
        if stop == "button" {
            self.link.event(at, "button", |d| {
                d.text("name", "power");
            });
        }
        self.link.event(at, "session_end", |d| {
            d.number("duration_s", lasts_s, 1);
            d.whole("target_s", TARGET_MS / 1_000);
            d.number("high_pressure_s", high * lasts_s, 1);
            d.number("low_pressure_s", low * lasts_s, 1);
            d.number("avg_n", force_n.0, 1)
                .number("max_n", force_n.1, 1);
            d.whole("high_events", whole(high * lasts_s / 0.4));
            d.whole("on_events", on_events);
            d.whole("battery_start_pct", session.start_pct);
            d.whole("battery_end_pct", end_pct).text("stop", stop);
        });
    }

    /// Counters and brush head, once a day; `worn`: how far the head that is on is from the one that should be.
    pub(super) fn tell_daily(&mut self, at: Timestamp, worn: f64) {
        let days = whole(self.head_days(at) * (1.0 - worn));
        let brushing_s = whole(self.head.brushing_s * (1.0 - worn));
        let count = &self.count;
        let (sessions, motor_s, charges) = (count.sessions, count.motor_s, count.charges);
        self.link.tele(at, |s| {
            s.whole("head_days_left", days)
                .whole("head_s_left", brushing_s)
                .whole("sessions_total", sessions)
                .number("motor_s_total", motor_s, 0)
                .whole("charge_cycles", charges);
        });
    }
}

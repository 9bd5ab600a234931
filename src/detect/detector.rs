//! All devices, what is due in which order, and the controls that concern them all.
//!
//! Leaves each device's own logic to `device`. Invariant: whatever is due before a message or control is looked at first, at its
//! own due time, device by device; so it does not matter when anyone asks.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smol_str::SmolStr;

use super::device::{Around, Device};
use super::devices::{Devices, OpenDevices};
use super::event::{DerivedValue, DetectCommand, FaultEvent};
use super::plan::Plan;
use super::slots::Layout;
use super::view::{DeviceView, FaultStanding};
use super::zones::Zones;
use crate::profile::{DeriveIdx, Profiles, SessionIdx};
use crate::telemetry::{DeviceId, Telemetry, Timestamp, ZoneTable};

/// The model of docks and bridges that speak for devices: presence and identity only.
pub(super) const GATEWAY: &str = "gateway";
/// Most alerts kept until the next result; further ones are dropped.
const ALERT_LIMIT: usize = 100;

/// What a call gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetectOut {
    /// Changes of faults, in order.
    pub events: Vec<FaultEvent>,
    /// Derived values for the series.
    pub derived: Vec<DerivedValue>,
    /// What the daemon's own people should know.
    pub alerts: Vec<String>,
}

/// How the faults of a device stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Standings {
    /// Whose.
    pub device: DeviceId,
    /// Its last message that carried records, by the journal's time.
    pub last_heard: Option<Timestamp>,
    /// Its faults, in the profile's order; those that are off are left out.
    pub faults: Vec<FaultStanding>,
}

/// The state of detection.
#[derive(Debug, Default)]
pub struct Detector {
    pub(super) plans: BTreeMap<SmolStr, Arc<Plan>>,
    pub(super) zones: Zones,
    pub(super) devices: Devices,
    /// When which device wants to be looked at; an entry may be earlier than the device's own `due`, never later.
    pub(super) due: BTreeSet<(Timestamp, DeviceId)>,
    /// Sources that are down or not yet up again.
    pub(super) down: BTreeSet<SmolStr>,
    /// Serials of gateways that are offline.
    pub(super) gateways_down: BTreeSet<SmolStr>,
    pub(super) alerts: Vec<String>,
    /// Faults in shadow are told like live ones: for the cases of profiles.
    pub(super) tell_shadow: bool,
    /// Of the rules that were in force when the rows were written from which this state was restored.
    pub(super) layouts_before: Vec<Layout>,
    /// Tests only: a model and a wire path whose reading makes evaluation panic.
    pub(super) test_panic: Option<(SmolStr, SmolStr)>,
}

impl Detector {
    /// No devices, no profiles.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For tests of what is around detection: it panics at a reading of this path of this model; with the path `due`, at whatever
    /// comes due.
    #[doc(hidden)]
    #[must_use]
    pub fn with_test_panic(model: &str, path: &str) -> Self {
        Self {
            test_panic: Some((model.into(), path.into())),
            ..Self::default()
        }
    }

    /// For tests: at most so many devices stand open, the others are packed.
    #[doc(hidden)]
    #[must_use]
    pub fn with_open_limit(limit: usize) -> Self {
        Self {
            devices: Devices::new(limit),
            ..Self::default()
        }
    }

    /// At most so many devices stand open from here on, some 35 kB each for a profile of the size of those shipped; the others are
    /// packed. It changes no result.
    pub fn set_open_limit(&mut self, limit: usize) {
        self.devices.set_open_limit(limit);
    }

    /// How many devices stand open, and how often one was unpacked.
    #[must_use]
    pub fn open_devices(&self) -> OpenDevices {
        self.devices.opened()
    }

    /// For the cases of profiles: faults in shadow are told like live ones.
    #[must_use]
    pub fn telling_shadow() -> Self {
        Self {
            tell_shadow: true,
            ..Self::default()
        }
    }

    /// For the cases of profiles: a whole session of the device ended at `now`, and its derives gave these values (base units)
    /// instead of what their expressions would.
    pub fn session_ended(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        session: SessionIdx,
        derives: &[(DeriveIdx, f64)],
        out: &mut DetectOut,
    ) {
        self.fire_until(now, out);
        let plan = self.plans.get(device.model()).cloned();
        if !self.devices.has(device) {
            self.devices
                .insert(Device::new(device.clone(), "case", plan));
        }
        self.judge(device, now, out, |state, around| {
            state.ended(now.ms(), session, derives, around);
        });
    }

    /// Puts profiles in force. Rules with an equal hash keep their state; those that are gone, off or in shadow now and had told
    /// the desk of a fault are withdrawn. Frozen devices are judged again.
    pub fn activate(&mut self, now: Timestamp, profiles: &Arc<Profiles>, out: &mut DetectOut) {
        self.fire_until(now, out);
        let plans: BTreeMap<SmolStr, Arc<Plan>> = profiles
            .iter()
            .map(|program| {
                let kept = self
                    .plans
                    .get(&program.model)
                    .filter(|plan| Arc::ptr_eq(&plan.program, program));
                let plan =
                    kept.map_or_else(|| Arc::new(Plan::new(Arc::clone(program))), Arc::clone);
                (program.model.clone(), plan)
            })
            .collect();
        self.plans = plans;
        let ids: Vec<DeviceId> = self.devices.ids().cloned().collect();
        for id in ids {
            let new = self.plans.get(id.model()).cloned();
            let Some((old, frozen)) = self.devices.rules(&id) else {
                continue;
            };
            let same = match (old, &new) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                (None, None) => true,
                _ => false,
            };
            if frozen && let Some(device) = self.devices.get_mut(&id) {
                device.head.frozen = false;
                self.changed(&id);
            }
            if same {
                continue;
            }
            let mut alerts = std::mem::take(&mut self.alerts);
            self.judge(&id, now, out, |device, around| {
                device.withdraw(new.as_deref(), now, around.out);
                match new {
                    Some(plan) => {
                        device.adopt(plan, &mut alerts);
                    }
                    None => device.abandon(),
                }
            });
            self.alerts = alerts;
        }
        self.hand_out_alerts(out);
    }

    /// Puts time zones in force.
    pub fn zones(&mut self, site_timezone: &str, zones: &ZoneTable) {
        self.zones = Zones::new(site_timezone, zones);
        let ids: Vec<DeviceId> = self.devices.ids().cloned().collect();
        for id in ids {
            self.schedule(&id);
        }
    }

    /// Takes a message that was understood. `now` is when the journal took it.
    pub fn apply(
        &mut self,
        now: Timestamp,
        source: &str,
        telemetry: &Telemetry,
        out: &mut DetectOut,
    ) {
        self.fire_until(now, out);
        if self.down.contains(source) {
            self.source_up(source, now.ms());
        }
        let id = &telemetry.device;
        let plan = self.plans.get(id.model()).cloned();
        if plan.is_none() && id.model() != GATEWAY {
            return;
        }
        let fresh = || Device::new(id.clone(), source, plan);
        let Some(device) = self.devices.get_or_insert(id, fresh) else {
            return;
        };
        if device.head.source != source {
            // What we missed elsewhere is over for it: it speaks here now.
            device.head.source = source.into();
            device.source_up(now.ms());
        }
        let (gateways_down, panics) = (&self.gateways_down, self.test_panic.as_ref());
        let done = guarded(
            device,
            now,
            (&self.zones, self.tell_shadow),
            out,
            |device, around| {
                panic_if_asked(panics, telemetry);
                device.message(telemetry, around);
                if let Some(via) = &device.head.identity.via {
                    let down = gateways_down.contains(via);
                    device.mute(down, now.ms());
                }
            },
        );
        let online = device.head.online;
        self.judged(id, done, out);
        if id.model() == GATEWAY {
            self.gateway(id.serial(), online, now);
        }
        self.hand_out_alerts(out);
    }

    /// Does what the desk asks.
    pub fn command(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        command: &DetectCommand,
        out: &mut DetectOut,
    ) {
        self.fire_until(now, out);
        if *command == DetectCommand::Forget {
            self.forget(device);
            if device.model() == GATEWAY {
                // A dock that is no more mutes nobody.
                self.gateway(device.serial(), None, now);
            }
            return;
        }
        self.judge(device, now, out, |state, around| {
            state.command(command, around);
        });
    }

    /// What there is to show of a device.
    pub fn view(&self, device: &DeviceId) -> Option<DeviceView> {
        self.devices.look(device, Device::view)
    }

    /// How the faults of the devices of a model stand, of at most `limit` devices after `after` in order; each with when it was
    /// last heard.
    pub fn standings(&self, model: &str, after: Option<&DeviceId>, limit: usize) -> Vec<Standings> {
        let first = format!("{model}/");
        let from = after.map_or(Bound::Included(&*first), |id| Bound::Excluded(id.as_str()));
        self.devices
            .range(from, |device| (device.last_heard(), device.standings()))
            .take_while(|(id, _)| id.model() == model)
            .take(limit)
            .map(|(id, (last_heard, faults))| Standings {
                device: id.clone(),
                last_heard,
                faults,
            })
            .collect()
    }

    /// All devices, in order.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.devices.ids()
    }

    /// After a panic while this device was judged: its state returns to Learning, and it is judged no more until the next
    /// activation of profiles. What the desk was told stays told.
    pub fn freeze(&mut self, device: &DeviceId, panic: &(dyn Any + Send), out: &mut DetectOut) {
        if let Some(state) = self.devices.get_mut(device) {
            state.forget_state();
            state.head.frozen = true;
        }
        self.after(device);
        out.alerts.push(format!(
            "{device}: its evaluation failed ({}); it is not judged until profiles are activated again",
            panic_text(panic)
        ));
    }

    /// Lets a device do something; a panic freezes this device alone.
    pub(super) fn judge(
        &mut self,
        id: &DeviceId,
        now: Timestamp,
        out: &mut DetectOut,
        work: impl FnOnce(&mut Device, &mut Around<'_>),
    ) {
        if let Some(device) = self.devices.get_mut(id) {
            let done = guarded(device, now, (&self.zones, self.tell_shadow), out, work);
            self.judged(id, done, out);
        }
    }

    /// Notes what came of [`guarded`].
    fn judged(&mut self, id: &DeviceId, done: Judged, out: &mut DetectOut) {
        match done {
            Ok(due) => {
                if self.devices.settle(id, due) {
                    self.file(id);
                }
            }
            Err(panic) => self.freeze(id, panic.as_ref(), out),
        }
    }

    /// After a change: what is due next, and that it must be saved.
    pub(super) fn after(&mut self, id: &DeviceId) {
        self.changed(id);
        self.schedule(id);
    }

    /// Its row must be saved.
    pub(super) fn changed(&mut self, id: &DeviceId) {
        self.devices.soil(id);
    }

    pub(super) fn forget(&mut self, id: &DeviceId) {
        if let Some(filed) = self.devices.remove(id).and_then(|due| due.filed) {
            self.due.remove(&(filed, id.clone()));
        }
    }

    fn hand_out_alerts(&mut self, out: &mut DetectOut) {
        for device in self.devices.take_lost() {
            self.alerts.push(format!(
                "{device}: what was remembered of it could not be read back; it learns anew"
            ));
        }
        self.alerts.truncate(ALERT_LIMIT);
        out.alerts.append(&mut self.alerts);
    }
}

/// When the device next wants to be looked at, or what the panic said.
type Judged = Result<Option<Timestamp>, Box<dyn Any + Send>>;

/// Runs a device's own logic under a guard: no message and no moment may stop the others, or the process, again and again.
fn guarded(
    device: &mut Device,
    now: Timestamp,
    (zones, tell_shadow): (&Zones, bool),
    out: &mut DetectOut,
    work: impl FnOnce(&mut Device, &mut Around<'_>),
) -> Judged {
    catch_unwind(AssertUnwindSafe(|| {
        work(
            device,
            &mut Around {
                now: now.ms(),
                zones,
                deferring: false,
                tell_shadow,
                out,
            },
        );
        device.next_due(zones)
    }))
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}

/// The hook of [`Detector::with_test_panic`].
fn panic_if_asked(asked: Option<&(SmolStr, SmolStr)>, telemetry: &Telemetry) {
    let Some((model, path)) = asked else {
        return;
    };
    let asked = telemetry.device.model() == model
        && telemetry
            .records
            .iter()
            .any(|record| record.readings.iter().any(|reading| reading.path == *path));
    assert!(!asked, "asked to panic at {path}");
}

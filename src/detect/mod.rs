//! Detection: from what devices send to changes of their faults.
//!
//! A [`Detector`] owns the state of every device, runs the compiled profiles over it in the devices' own time, and says what
//! changed. It leaves tickets to the desk and disks to `checkpoint`. Pure: no clock, no file, no chance; the same entries give the
//! same events, whatever the batches and however often it is asked what is due.

mod absence;

mod baseline;

mod bits;

mod blind;

mod body;

mod command;

mod controls;

mod derive;

mod detector;

mod device;

mod devices;

mod distance;

mod due;

mod eval;

mod event;

mod evidence;

mod fault;

mod held;

mod look;

mod node;

mod packed;

mod plan;

mod publish;

mod reads;

mod record;

mod rows;

mod session;

mod signal;

mod slots;

mod small;

mod snapshot;

mod squeeze;

mod timing;

mod view;

mod window;

mod windowed;

mod zones;

pub use blind::{Blind, Learning};
pub(crate) use detector::panic_text;
pub use detector::{DetectOut, Detector, Standings};
pub use devices::{OPEN_LIMIT, OpenDevices};
pub use distance::{HoldView, OwnNormal, StageView, TermView};
pub use event::{DerivedValue, DetectCommand, Evidence, FaultEvent, FaultEventKind};
pub use packed::DeviceCopy;
pub use snapshot::RestoreError;
pub use squeeze::Squeezer;
pub use view::{DeriveView, DeviceView, FaultStanding, FaultState, FaultView, SignalView};

#[cfg(test)]
mod tests;

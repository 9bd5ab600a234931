//! A made-up fleet: appliances with physics, people with habits, links that break, and parts that fail. It speaks the native
//! convention exactly as real appliances would, so that everything behind the broker can be tried, shown and loaded.
//!
//! It decides nothing and knows no profile: what a failure does to heat, water and current is computed here, and whether anyone
//! notices is the pipeline's business. It leaves sending, waiting and showing to its callers.
//!
//! **Invariant:** no clock, no I/O. Chance comes from one seeded generator per appliance: equal plans give equal bytes.
//! **Invariant:** what the fleet publishes never goes back in time.
//!
//! Read `plan`, `fleet`, `appliance`, `link`, then one appliance.

mod appliance;
mod brush;
mod chance;
mod clock;
mod failure;
mod fleet;
pub mod history;
mod hours;
mod json;
mod link;
mod outage;
pub mod people;
mod place;
mod plan;
mod remarks;
pub mod story;
pub mod tended;
mod toilet;

#[cfg(test)]
mod tests;

pub use appliance::{Published, Quirk, SimulatedDevice};
pub use failure::{Failure, FailureKind, PlannedFailure};
pub use fleet::Fleet;
pub use plan::{Cadence, FleetPlan};

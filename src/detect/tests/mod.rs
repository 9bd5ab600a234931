//! Detection as its callers see it: messages and controls in, changes of faults out.

mod absence;

mod baselines;

mod bench;

mod brush;

mod distance;

mod holds;

mod same;

mod sessions;

mod states;

mod time;

mod windows;

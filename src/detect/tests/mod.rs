//! Detection as its callers see it: messages and controls in, changes of faults out.

mod bench;

mod holds;

mod same;

mod time;

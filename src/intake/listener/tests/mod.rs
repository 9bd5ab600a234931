//! The listener against clients of raw bytes: what stock clients never do is where a listener breaks.
//!
//! `hall` gives connections without sockets in a time that the test moves; `rig` a whole listener on a port of the kernel's choice.
//! The journal of both is a double that can hold back, refuse, and tell what it was given.

mod bounds;

mod damage;

mod ends;

mod hall;

mod journal;

mod publishing;

mod rig;

mod stalls;

mod strangers;

mod subscribing;

mod takeover;

mod timing;

mod wire;

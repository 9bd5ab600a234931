//! The journal's promises, tried to break.

mod support;

mod basics;

mod time;

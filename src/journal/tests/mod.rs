//! The journal's promises, tried to break.

mod support;

mod basics;

mod encoding;

mod group;

mod time;

mod failure;

mod salvage;

mod sealing;

mod retention;

mod damage;

mod crash;

mod measure;

mod stepped;

#![doc = "Foremend"]

pub mod telemetry;

pub mod config;

pub mod profile;

pub mod decode;

pub mod detect;

pub mod desk;

pub mod intake;

pub mod journal;

pub mod checkpoint;

pub mod store;

pub mod series;

pub mod web;

pub mod lab;

//! What is tested on each engine: this file is there once as `sqlite` and once as `postgres`. The files below name
//! each other by `super`, and so stay on their own engine.

mod auth;
mod cli;
mod crash;
mod events;
mod keys;
mod moderations;
mod problems;
mod several;
mod shutdown;
mod support;

//! What is tested on each engine: this file is there once as `sqlite` and once as `postgres`. The files below name
//! each other by `super`, and so stay on their own engine.

mod audit;
mod auth;
mod authorisation;
mod budgets;
mod calendar;
mod cli;
mod commands;
mod console;
mod crash;
mod defaults;
mod deposits;
mod events;
mod exports;
mod identity_provider;
mod keys;
mod leases;
mod metrics;
mod migrations;
mod moderations;
mod money;
mod openapi;
mod operators;
mod problems;
mod reclaim;
mod rotation;
mod session;
mod settlement;
mod several;
mod shutdown;
mod single_sign_on;
mod stats;
mod storm;
mod support;
mod templates;
mod webhooks;

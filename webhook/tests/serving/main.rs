//! The server from outside: real TLS, real HTTP, in this process.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod certificates;
mod client;
mod draining;
mod process;
mod requests;
mod tls;

//! The stores held against their promises, as one program: what is built once need not be linked sixteen times.

mod books;
#[cfg(feature = "postgres")]
mod cluster;
mod process;
#[cfg(feature = "postgres")]
mod proxy;

mod backup;
mod bulk;
mod chain;
mod conformance;
mod counts;
mod crash;
mod durability;
mod faults;
mod migrations;
mod model;
mod orders;
#[cfg(feature = "postgres")]
mod pooled;
#[cfg(feature = "postgres")]
mod postgres;
mod protected;
mod purge;
#[cfg(feature = "postgres")]
mod secured;
mod sweepers;
mod trace;
mod writers;

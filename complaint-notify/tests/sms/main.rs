//! Text messages: what they say, and both sides of the conversation with a gateway.

mod gateway;
#[path = "../house/mod.rs"]
mod house;
mod stub;
mod words;

pub(crate) use house::{Host, customer, instant, notice, sarah, settings};

//! What leaves by HTTP: text messages and webhooks, and the other side of the conversation.

mod gateway;
#[path = "../house/mod.rs"]
mod house;
#[path = "../python/mod.rs"]
mod python;
mod stub;
mod webhooks;
mod words;

pub(crate) use house::{Host, customer, instant, notice, sarah, settings};

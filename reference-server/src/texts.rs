//! Text messages that are not about a complaint.

use std::sync::Arc;

use complaint_core::NotifyError;
use complaint_notify::{PhoneNumber, SmsTransport, TextMessage};
use thiserror::Error;

/// Sends the code by which somebody shows that a telephone number is theirs. Cheap to clone.
#[derive(Clone)]
pub struct Texts {
    transport: Arc<dyn SmsTransport>,
    organisation: String,
}

/// Why a text message did not leave.
#[derive(Debug, Error)]
pub enum TextsError {
    /// Trying again later can help.
    #[error("the text message could not be handed on at the moment")]
    Later(#[source] NotifyError),
    /// It will never be taken.
    #[error("the text message was refused for good")]
    Never(#[source] NotifyError),
}

impl Texts {
    /// Sends through `transport`, in the name of `organisation`.
    pub fn through(transport: Arc<dyn SmsTransport>, organisation: String) -> Self {
        Self { transport, organisation }
    }

    /// Sends a code. Whoever the number belongs to reads nothing else: nothing that somebody typed.
    pub async fn send_code(&self, id: &str, to: PhoneNumber, code: &str) -> Result<(), TextsError> {
        let words = format!("{code} is the code that confirms your phone number. Not you? Do nothing.");
        let signed = format!("{}: {words}", self.organisation);
        // What does not fit into one message goes without our name.
        let message = TextMessage::new(id, to.clone(), signed).or_else(|_| TextMessage::new(id, to, words));
        let message = message.map_err(|error| TextsError::Never(NotifyError::Never(error.to_string())))?;
        self.transport.send(&message).await.map_err(|error| match error {
            NotifyError::Later(_) | NotifyError::NotBefore { .. } => TextsError::Later(error),
            other => TextsError::Never(other),
        })
    }
}

//! What a visitor hands in by a form. It waits as mail does until whoever has the address says that it is theirs.

use complaint_core::complaint::Submission;
use complaint_notify::inbound::{Sender, Suspicion};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::kept::{Came, Identity, InboundMail, MailState, Settled};
use super::work::{acting, opened, quarantined, sender, suspected};
use super::{IntakeError, MailIntake};
use crate::auth::values::{EmailAddress, FullName};
use crate::state::AppState;

/// A form as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Form {
    name: String,
    email: String,
    /// Of the form, so that pressing its button twice is one complaint.
    key: String,
    pub(super) submission: Submission,
}

impl Form {
    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        serde_json::from_slice(raw).ok()
    }
}

impl MailIntake {
    /// Takes in what a visitor hands in, to be confirmed by whoever has the address. The same form, by its `key`, is the one that is there;
    /// without a key the same words are, as long as nothing became of them. What would be refused must have been refused before: nobody
    /// is there any more to mend it.
    pub async fn hand_in(
        &self,
        state: &AppState,
        name: &FullName,
        email: &EmailAddress,
        key: &str,
        submission: Submission,
    ) -> Result<InboundMail, IntakeError> {
        let (name, email) = (name.as_str().to_owned(), email.as_str().to_owned());
        let mut form = Form { name, email, key: key.to_owned(), submission };
        let mut mail = self.keep_form(state, &form).await?;
        let is_open = |mail: &InboundMail| matches!(mail.state, MailState::Waiting | MailState::Unconfirmed);
        if key.is_empty() && !is_open(&mail) {
            // Something became of the same words before: these are meant anew.
            form.key = state.desk.draw_id().to_string();
            mail = self.keep_form(state, &form).await?;
        }
        let mail = self.look_into(state, mail.id).await?;
        if mail.state == MailState::Unconfirmed {
            // Whoever sends it again may have no link any more.
            self.ask(state, &mail.sender.clone().unwrap_or_default(), true).await?;
        }
        Ok(mail)
    }

    async fn keep_form(&self, state: &AppState, form: &Form) -> Result<InboundMail, IntakeError> {
        let raw = serde_json::to_vec(form).expect("words and dates serialise");
        let came = Came { by_form: true, whole_size: None };
        Ok(self.kept.keep(state.desk.draw_id(), &raw, came, None, state.clock.now()).await?)
    }

    pub(super) async fn form_settled(
        &self,
        state: &AppState,
        kept: &InboundMail,
        raw: &[u8],
    ) -> Result<Settled, IntakeError> {
        let form =
            Form::read(raw).and_then(|form| EmailAddress::parse(&form.email).ok().map(|address| (form, address)));
        let Some((Form { name, submission, .. }, address)) = form else {
            return Ok(quarantined("unreadable", "The form cannot be read."));
        };
        let subject = submission.subject.clone();
        let identity = Identity {
            sender: Some(address.normalised()),
            subject,
            message: None,
            content: Sha256::digest(raw).into(),
        };
        self.kept.identify(kept.id, &identity).await?;
        match sender(state.accounts.by_email(&address).await?.as_ref()) {
            Sender::Staff => Ok(suspected(Suspicion::FromStaff)),
            Sender::Disabled => Ok(suspected(Suspicion::FromDisabled)),
            Sender::Stranger | Sender::Customer if kept.confirmed => {
                let account = state.accounts.account_of_owner(&address, Some(&name)).await?;
                let made = acting(state, kept.id, &account, "submit")?.submit(submission).await;
                opened(state, kept.id, &account, made, Vec::new()).await
            }
            Sender::Stranger | Sender::Customer => {
                self.ask(state, &address.normalised(), true).await?;
                Ok(Settled { state: MailState::Unconfirmed, why: None, detail: None, complaint: None })
            }
        }
    }
}

//! Mail: one way out for letters about accounts and for notices about complaints, and the address book behind them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use complaint_core::id::{AgentId, Level};
use complaint_core::notice::Recipient;
use complaint_core::store::{Store, StoreError};
use complaint_core::{Agent, NotifyError, Policy};
use complaint_notify::inbound::ReplyAddress;
use complaint_notify::{AddressBook, Addressee, Mailer, PlainMail, Settings};
use url::Host;

use crate::auth::mail::escaped;
use crate::auth::{
    Account, AccountFilter, AccountMail, AccountMailError, AccountMessage, AccountService, AuthError, Role,
};
use crate::config::Config;
use crate::preferences::PreferencesService;

/// What pages and letters call the organisation: as its policy does, and the standard policy is nobody's.
pub fn organisation(policy: &Policy) -> &str {
    if policy.name == "Standard" { "Complaints" } else { &policy.name }
}

/// Who writes, from the configuration and the policy in force at the start, and where answers go, if mail is taken in.
pub fn settings(
    config: &Config,
    policy: &Policy,
    replies: Option<&ReplyAddress>,
) -> Result<Settings, complaint_notify::InvalidSetting> {
    let base_url = config.base_url();
    // An address needs a domain; a number is none.
    let domain = match base_url.host() {
        Some(Host::Domain(domain)) => domain.to_owned(),
        _ => "localhost".to_owned(),
    };
    let name = organisation(policy);
    // Quoted: a name may hold what means something in an address.
    let quoted = name.replace(['"', '\\'], "");
    let address = replies.map_or_else(|| format!("complaints@{domain}"), ReplyAddress::plain);
    let settings = Settings::new(&format!("\"{quoted}\" <{address}>"), base_url.as_str(), name)?
        .with_levels(policy.levels.iter().map(|level| level.name.as_str()))?;
    Ok(match replies {
        Some(replies) => settings.with_replies(replies.clone()),
        None => settings,
    })
}

/// Letters about accounts through the same transport as notices.
pub struct AccountLetters {
    mailer: Mailer,
    destination: String,
    organisation: String,
}

impl AccountLetters {
    /// Sends through `mailer`, signed by `organisation`; `destination` is what an operator is told about where that leads.
    pub fn through(mailer: Mailer, destination: String, organisation: String) -> Self {
        Self { mailer, destination, organisation }
    }
}

#[async_trait]
impl AccountMail for AccountLetters {
    async fn send(&self, message: &AccountMessage) -> Result<(), AccountMailError> {
        let signed = format!("<p>Kind regards<br>{}</p>\n</body>", escaped(&self.organisation));
        let mail = PlainMail {
            to: message.to.clone(),
            // No display name, as `AccountMessage::to` says.
            name: None,
            subject: message.subject.clone(),
            text: format!("{}\nKind regards\n{}\n", message.text, self.organisation),
            html: Some(message.html.replacen("</body>", &signed, 1)),
            id: message.id.to_string(),
        };
        self.mailer.send_plain(&mail).await.map_err(|error| match error {
            NotifyError::Later(cause) | NotifyError::NotBefore { why: cause, .. } => AccountMailError::Later(cause),
            other => AccountMailError::Never(Box::new(other)),
        })
    }

    fn destination(&self) -> String {
        self.destination.clone()
    }
}

/// Customers and agents by the ids of their accounts.
pub struct AccountsBook {
    accounts: AccountService,
    store: Arc<dyn Store>,
    preferences: PreferencesService,
}

impl AccountsBook {
    /// Looks people up among the accounts, and who works at a level among the agents; their zone and language in what they chose.
    pub fn over(accounts: AccountService, store: Arc<dyn Store>, preferences: PreferencesService) -> Self {
        Self { accounts, store, preferences }
    }

    /// Somebody as they are written to, if they may be.
    async fn addressee(&self, account: Account) -> Result<Option<Addressee>, NotifyError> {
        let id = account.id.clone();
        let is_guest = match account.role {
            Role::Customer => self.accounts.guest(&id).await.map_err(|error| NotifyError::Later(Box::new(error)))?,
            _ => None,
        }
        .is_some();
        let Some(person) = addressee(account) else { return Ok(None) };
        let (_, chosen) = self.preferences.of(&id).await.map_err(|error| NotifyError::Later(Box::new(error)))?;
        Ok(Some(Addressee { language: chosen.language(), zone: chosen.zone().map(str::to_owned), is_guest, ..person }))
    }

    async fn person(&self, id: &str) -> Result<Vec<Addressee>, NotifyError> {
        match self.accounts.account(id).await {
            // Nobody reads what comes for it, and there is nothing to mend: no dead letter.
            Ok(account) if account.disabled_at.is_some() => {
                Err(NotifyError::Nobody(format!("the account {id} is disabled")))
            }
            Ok(account) => Ok(self.addressee(account).await?.into_iter().collect()),
            Err(AuthError::NoSuchAccount) => Ok(Vec::new()),
            Err(error) => Err(NotifyError::Later(Box::new(error))),
        }
    }

    async fn admins(&self) -> Result<Vec<Addressee>, NotifyError> {
        let filter = AccountFilter { role: Some(Role::Admin), after: None, limit: 100 };
        let admins = self.accounts.list(filter).await.map_err(|error| NotifyError::Later(Box::new(error)))?;
        let mut people = Vec::with_capacity(admins.len());
        for admin in admins {
            people.extend(self.addressee(admin).await?);
        }
        Ok(people)
    }

    async fn level(
        &self,
        levels: RangeInclusive<Level>,
        except: &BTreeSet<AgentId>,
    ) -> Result<Vec<Addressee>, NotifyError> {
        let roster = self.store.roster().await.map_err(later)?;
        let agents: Vec<Agent> = roster
            .into_iter()
            .map(|member| member.agent)
            .filter(|agent| agent.enabled && !except.contains(&agent.id))
            .collect();
        let mut people = Vec::new();
        for agent in at_level(&agents, &levels) {
            match self.accounts.account(agent.id.as_str()).await {
                Ok(account) => people.extend(self.addressee(account).await?),
                Err(AuthError::NoSuchAccount) => {}
                Err(error) => return Err(NotifyError::Later(Box::new(error))),
            }
        }
        Ok(people)
    }
}

#[async_trait]
impl AddressBook for AccountsBook {
    async fn find(&self, recipient: &Recipient) -> Result<Vec<Addressee>, NotifyError> {
        match recipient {
            Recipient::Customer(id) => self.person(id.as_str()).await,
            Recipient::Agent(id) => self.person(id.as_str()).await,
            Recipient::Level { level, down_to, except } => self.level(*down_to..=*level, except).await,
            Recipient::Admins => self.admins().await,
            // Programs are no people.
            Recipient::Endpoint(_) => Ok(Vec::new()),
        }
    }

    async fn agent_name(&self, agent: &AgentId) -> Option<String> {
        // A letter without the name is better than none.
        self.store.find(agent).await.ok().flatten().map(|member| member.agent.name)
    }
}

/// Who is told what a level is told: its agents; where nobody works there, or the ladder ends below, those of the next level down
/// that may answer for it.
fn at_level<'a>(agents: &'a [Agent], levels: &RangeInclusive<Level>) -> Vec<&'a Agent> {
    let staffed = agents.iter().map(|agent| agent.level).filter(|known| levels.contains(known)).max();
    agents.iter().filter(|agent| Some(agent.level) == staffed).collect()
}

/// Nobody writes to an address before its owner has confirmed it: the letter quotes what others typed. Members of staff
/// are written to from the start, at the address an admin gave: their work does not wait for them to log in.
fn addressee(account: Account) -> Option<Addressee> {
    let known = account.email_verified_at.is_some() || account.role.is_staff();
    let may_be_written_to = known && account.disabled_at.is_none();
    may_be_written_to.then(|| Addressee {
        name: Some(account.name),
        email: Some(account.email),
        phone: account.phone,
        ..Addressee::default()
    })
}

fn later(error: StoreError) -> NotifyError {
    NotifyError::Later(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_nobody_works_at_is_answered_for_from_below() {
        let level = |number| Level::new(number).expect("a level");
        let agent = |id: &str, number| Agent::named(id, id).expect("an agent").at_level(level(number));
        let agents = [agent("sarah", 1), agent("ben", 1), agent("maria", 2)];
        let told = |number| -> Vec<&str> {
            at_level(&agents, &(level(1)..=level(number))).into_iter().map(|agent| agent.id.as_str()).collect()
        };
        assert_eq!(told(1), ["sarah", "ben"]);
        assert_eq!(told(2), ["maria"]);
        assert_eq!(told(4), ["maria"]);
        assert!(at_level(&agents[2..], &(level(1)..=level(1))).is_empty());
        assert!(at_level(&agents[..2], &(level(2)..=level(3))).is_empty(), "not below whom it is for");
    }
}

//! The policy in force: every version is kept, the newest counts.

use complaint_core::notice::NoticeChannel;
use complaint_core::policy::PolicyError;
use complaint_core::{Desk, Policy};
use thiserror::Error;

use crate::auth::{AccountsError, PolicyVersion, PolicyVersions};
use crate::clock::Clock;

/// How often a change of the policy is made anew when somebody else was faster.
const ATTEMPTS: u32 = 5;

/// Why a policy could not be read or kept.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// Versions cannot be read or written.
    #[error("the policy cannot be read or kept")]
    Kept(#[from] AccountsError),
    /// It cannot be used; its faults are named.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// It cannot be written as TOML.
    #[error("the policy cannot be written down")]
    Unwritable(#[from] toml::ser::Error),
}

/// The newest version; on a new installation the standard policy, kept as version 1.
pub async fn load(versions: &dyn PolicyVersions, clock: &dyn Clock) -> Result<Policy, CatalogueError> {
    if let Some(latest) = versions.latest().await? {
        return read(&latest);
    }
    let standard = Policy { version: 1, ..Policy::standard() };
    match versions.append(0, &standard.to_toml()?, "system", clock.now()).await {
        Ok(_) => Ok(standard),
        // Another process was faster with the same thing.
        Err(AccountsError::Conflict { .. }) => match versions.latest().await? {
            Some(latest) => read(&latest),
            None => Ok(standard),
        },
        Err(error) => Err(error.into()),
    }
}

/// Puts the newest version into force if it is newer than the desk's: another process may have made it, such as an import
/// beside a running server. Returns whether it did.
pub async fn catch_up(versions: &dyn PolicyVersions, desk: &Desk) -> Result<bool, CatalogueError> {
    let in_force = desk.policy().version;
    if versions.newest().await? <= in_force {
        return Ok(false);
    }
    let Some(latest) = versions.latest().await? else { return Ok(false) };
    desk.adopt(read(&latest)?)?;
    tracing::info!(from = in_force, to = latest.version, "a newer policy is in force");
    Ok(true)
}

/// Makes the next version from the newest one and puts it into force. `by` is the account that asks for it.
///
/// `change` is asked again when somebody else made a version meanwhile; what it refuses is refused, what [`Policy::faults`] names too.
pub async fn change<T, E: From<CatalogueError>>(
    versions: &dyn PolicyVersions,
    desk: &Desk,
    by: &str,
    change: impl Fn(Policy) -> Result<(Policy, T), E>,
) -> Result<T, E> {
    let mut tries = 0;
    loop {
        let latest = load(versions, &DeskClock(desk)).await?;
        let expected = latest.version;
        let (mut next, made) = change(latest)?;
        next.version = expected + 1;
        let findings = next.faults();
        if !findings.is_empty() {
            return Err(CatalogueError::from(PolicyError::Faulty(findings)).into());
        }
        let toml = next.to_toml().map_err(CatalogueError::from)?;
        match versions.append(expected, &toml, by, desk.now()).await {
            Ok(_) => {
                desk.adopt(next).map_err(CatalogueError::from)?;
                return Ok(made);
            }
            Err(AccountsError::Conflict { .. }) if tries < ATTEMPTS => tries += 1,
            Err(error) => return Err(CatalogueError::from(error).into()),
        }
    }
}

/// Has notices travel on a channel, or not, from now on: a version of its own if that is not so already.
pub async fn carry(
    versions: &dyn PolicyVersions,
    desk: &Desk,
    by: &str,
    channel: NoticeChannel,
    carried: bool,
) -> Result<(), CatalogueError> {
    if desk.policy().channels.contains(&channel) == carried {
        return Ok(());
    }
    change(versions, desk, by, |mut policy| {
        if carried {
            policy.channels.insert(channel);
        } else {
            policy.channels.remove(&channel);
        }
        Ok::<_, CatalogueError>((policy, ()))
    })
    .await
}

fn read(stored: &PolicyVersion) -> Result<Policy, CatalogueError> {
    let policy = Policy::from_toml(&stored.toml)?;
    Ok(Policy { version: stored.version, ..policy })
}

/// The desk's time, where a clock is asked for.
struct DeskClock<'a>(&'a Desk);

impl Clock for DeskClock<'_> {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }
}

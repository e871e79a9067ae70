//! Passwords: how strong, how hashed, how many at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use thiserror::Error;
use tokio::sync::Semaphore;

use super::values::Fault;

/// Shortest password when nothing else guards the account, in characters (NIST SP 800-63B-4 §3.1.1.2).
pub const PASSWORD_MIN: usize = 15;
/// Longest password, in characters; longer ones are refused before any work is done on them.
pub const PASSWORD_MAX: usize = 256;

/// zxcvbn's cost grows with the square of the length; what comes later can only add strength.
const JUDGED: usize = 100;
/// Pass phrases that are long enough and sit near the top of every guesser's list, as letters and digits only.
/// zxcvbn's own word lists cover the short ones and whatever is built from them.
const KNOWN: &[&str] = &[
    "allyourbasearebelongtous",
    "areyoukiddingme",
    "iloveyouforever",
    "iloveyousomuch",
    "iloveyoutothemoonandback",
    "letmeinplease",
    "mypasswordispassword",
    "myvoiceismypassport",
    "nevergonnagiveyouup",
    "onceuponatime",
    "passwordpassword",
    "pleaseletmein",
    "thequickbrownfox",
    "thequickbrownfoxjumps",
    "thequickbrownfoxjumpsoverthelazydog",
    "thisisapassword",
    "thisismypassword",
    "thisismypassphrase",
    "tobeornottobe",
    "tobeornottobethatisthequestion",
    "whatisyourpassword",
    "maytheforcebewithyou",
    "itwasthebestoftimes",
    "inthebeginning",
    "loremipsumdolor",
    "loremipsumdolorsitamet",
    "winteriscoming",
];

/// Says whether a password may be used, given what else is known of its owner.
pub fn judge(password: &str, name: &str, email: &str) -> Result<(), Fault> {
    let length = password.chars().count();
    if length > PASSWORD_MAX {
        return Err(Fault::new("too_long", format!("The password may have at most {PASSWORD_MAX} characters.")));
    }
    if length < PASSWORD_MIN {
        return Err(Fault::new(
            "too_short",
            format!("The password needs at least {PASSWORD_MIN} characters; a few unrelated words do well."),
        ));
    }
    let bare: String = password.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let judged: String = password.chars().take(JUDGED).collect();
    let mut hints: Vec<&str> = name.split_whitespace().collect();
    hints.push(name);
    hints.push(email);
    hints.extend(email.split(['@', '.']).filter(|part| part.len() > 2));
    let is_weak = |text: &str| zxcvbn::zxcvbn(text, &hints).score() < zxcvbn::Score::Three;
    // Judged without its blanks and marks as well: they hide repeated words and names from zxcvbn, not from people who guess.
    let bare_is_weak = bare.chars().count() >= PASSWORD_MIN && is_weak(&bare.chars().take(JUDGED).collect::<String>());
    if KNOWN.contains(&bare.as_str()) || bare_is_weak || is_weak(&judged) {
        return Err(Fault::new("too_weak", "This password is easy to guess; a few unrelated words do well."));
    }
    Ok(())
}

/// Why a password could not be hashed or compared.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// Too many at once; try again in a moment.
    #[error("all hashing places are taken")]
    Busy,
    /// Longer than [`PASSWORD_MAX`]: never right.
    #[error("the password is longer than any accepted one")]
    TooLong,
    /// A stored hash cannot be read, or the hash function failed.
    #[error("the password could not be hashed or compared")]
    Hash(#[source] password_hash::Error),
    /// The worker thread died.
    #[error("the hashing worker ended early")]
    Worker(#[source] tokio::task::JoinError),
}

/// What comparing gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Not this password.
    Wrong,
    /// This password; the hash is as strong as new ones.
    Right,
    /// This password, hashed with older settings: store this instead.
    RightRehashed(String),
}

/// Hashes with argon2id m = 19 456 KiB, t = 2, p = 1 (OWASP), at most as many at once as the machine has cores.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    /// What hashes that are over have left, for the next ones: one for each place. Taken from the system each time, it would stay
    /// with the allocator, once for each thread that ever hashed, which is hundreds of megabytes after a busy minute.
    memory: Arc<Mutex<Vec<Memory>>>,
    patience: Duration,
    cost: Params,
    dummy: Arc<str>,
}

impl Passwords {
    /// One place per core, two seconds of patience.
    pub fn new() -> Result<Self, PasswordError> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self::with_places(cores, Duration::from_secs(2))
    }

    /// As many hashes at once as `places`; who waits longer than `patience` gets [`PasswordError::Busy`].
    pub fn with_places(places: usize, patience: Duration) -> Result<Self, PasswordError> {
        Self::costing(cost(), places, patience)
    }

    /// Hashes that cost next to nothing, for tests that make accounts by the hundred. Whoever steals such a hash guesses the password.
    pub fn cheap() -> Result<Self, PasswordError> {
        Self::costing(constant(Params::MIN_M_COST, 1), 2, Duration::from_mins(1))
    }

    fn costing(cost: Params, places: usize, patience: Duration) -> Result<Self, PasswordError> {
        let mut memory = Memory::new();
        let dummy = hashed("nobody has this password", cost.clone(), &mut memory)?;
        Ok(Self {
            places: Arc::new(Semaphore::new(places)),
            memory: Arc::new(Mutex::new(vec![memory])),
            patience,
            cost,
            dummy: dummy.into(),
        })
    }

    /// The PHC string to store for `password`.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = bounded(password)?;
        let cost = self.cost.clone();
        self.work(move |memory| hashed(&password, cost, memory)).await
    }

    /// Compares `password` with a stored hash. Without one, the same work is done on a hash nobody knows the password of, so that
    /// the time tells nothing.
    pub async fn compare(&self, password: &str, stored: Option<&str>) -> Result<Comparison, PasswordError> {
        let password = bounded(password)?;
        let known = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| Arc::clone(&self.dummy), Arc::from);
        let cost = self.cost.clone();
        self.work(move |memory| {
            let parsed = PasswordHash::new(&stored).map_err(|error| PasswordError::Hash(error.into()))?;
            let params = Params::try_from(&parsed).map_err(PasswordError::Hash)?;
            if !is_of(&password, &parsed, params.clone(), memory).map_err(PasswordError::Hash)? || !known {
                return Ok(Comparison::Wrong);
            }
            if same_cost(&params, &cost) {
                return Ok(Comparison::Right);
            }
            Ok(Comparison::RightRehashed(hashed(&password, cost, memory)?))
        })
        .await
    }

    async fn work<T, F>(&self, job: F) -> Result<T, PasswordError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Memory) -> Result<T, PasswordError> + Send + 'static,
    {
        let waited = tokio::time::timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = waited else {
            return Err(PasswordError::Busy);
        };
        let kept = Arc::clone(&self.memory);
        // The place goes with the work: a request dropped half way must not let another hash start beside it.
        tokio::task::spawn_blocking(move || {
            let kept = || kept.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = kept().pop().unwrap_or_default();
            let done = job(&mut memory);
            kept().push(memory);
            drop(place);
            done
        })
        .await
        .map_err(PasswordError::Worker)?
    }
}

/// What a hash is worked out in.
type Memory = Vec<Block>;

/// What a new hash costs whoever guesses.
fn cost() -> Params {
    constant(19 * 1024, 2)
}

fn constant(memory_kib: u32, passes: u32) -> Params {
    Params::new(memory_kib, passes, 1, None).expect("constant parameters are within argon2's bounds")
}

/// The PHC string of a password under a new salt.
fn hashed(password: &str, params: Params, memory: &mut Memory) -> Result<String, PasswordError> {
    let (algorithm, version, salt) = (Algorithm::Argon2id, Version::V0x13, Salt::generate());
    let of = || -> password_hash::Result<PasswordHash> {
        let params_in_words = ParamsString::try_from(&params)?;
        let argon2 = Argon2::new(algorithm, version, params);
        let output = output(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN, memory)?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: params_in_words,
            salt: Some(salt),
            hash: Some(output),
        })
    };
    Ok(of().map_err(PasswordError::Hash)?.to_string())
}

/// Whether a stored hash is that of a password, in time that tells nothing of where they differ.
fn is_of(password: &str, stored: &PasswordHash, params: Params, memory: &mut Memory) -> password_hash::Result<bool> {
    let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
    let version = stored.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let (Some(salt), Some(hash)) = (&stored.salt, &stored.hash) else {
        return Err(password_hash::Error::EncodingInvalid);
    };
    let argon2 = Argon2::new(algorithm, version, params);
    Ok(output(&argon2, password, salt, hash.len(), memory)? == *hash)
}

fn output(
    argon2: &Argon2<'_>,
    password: &str,
    salt: &Salt,
    length: usize,
    memory: &mut Memory,
) -> password_hash::Result<Output> {
    memory.resize(argon2.params().block_count(), Block::default());
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut *memory)?;
    Ok(Output::new(output)?)
}

fn same_cost(one: &Params, other: &Params) -> bool {
    (one.m_cost(), one.t_cost(), one.p_cost()) == (other.m_cost(), other.t_cost(), other.p_cost())
}

fn bounded(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() > PASSWORD_MAX { Err(PasswordError::TooLong) } else { Ok(password.to_owned()) }
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    const GOOD: &str = "copper lantern winds 7 rivers";

    #[test]
    fn judges_length_then_strength() {
        let code =
            |password: &str| judge(password, "John Miller", "john.miller@example.org").map_err(|fault| fault.code);
        assert_eq!(code(GOOD), Ok(()));
        assert_eq!(code("Tr0ub4dor&3"), Err("too_short"));
        assert_eq!(code(""), Err("too_short"));
        assert_eq!(code(&"ä".repeat(14)), Err("too_short"));
        assert_eq!(code(&format!("{GOOD}{}", "x".repeat(PASSWORD_MAX))), Err("too_long"));
        for weak in [
            "aaaaaaaaaaaaaaaaaaaa",
            "123456789012345678",
            "qwertyuiopasdfghjkl",
            "passwordpassword",
            "This is my password!",
            "johnmillerjohnmiller",
            "john.miller@example.org",
            "The quick brown fox",
        ] {
            assert_eq!(code(weak), Err("too_weak"), "{weak}");
        }
        assert_eq!(code("john miller john miller"), Err("too_weak"), "blanks hide nothing");
        assert_eq!(code("!#%&/()=?;:_*+~<>|"), Ok(()), "no composition rules");
        assert_eq!(code("пароль-ледяной-кувшин-море"), Ok(()), "any script");
    }

    #[tokio::test]
    async fn hashes_and_compares() {
        let passwords = Passwords::with_places(2, Duration::from_secs(10)).expect("hashes");
        let stored = passwords.hash(GOOD).await.expect("hashes");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, passwords.hash(GOOD).await.expect("hashes"), "salted");
        assert_eq!(passwords.compare(GOOD, Some(&stored)).await.expect("compares"), Comparison::Right);
        assert_eq!(
            passwords.compare("copper lantern winds 8 rivers", Some(&stored)).await.expect("compares"),
            Comparison::Wrong
        );
        assert_eq!(passwords.compare("nobody has this password", None).await.expect("compares"), Comparison::Wrong);
        assert!(matches!(passwords.compare(&"x".repeat(257), Some(&stored)).await, Err(PasswordError::TooLong)));
        assert!(matches!(passwords.compare(GOOD, Some("garbage")).await, Err(PasswordError::Hash(_))));
    }

    #[tokio::test]
    async fn an_older_hash_is_renewed() {
        let passwords = Passwords::with_places(1, Duration::from_secs(10)).expect("hashes");
        // As the crate's own writer has it.
        let weak =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8 * 1024, 1, 1, None).expect("in bounds"));
        let old = weak.hash_password(GOOD.as_bytes()).expect("hashes").to_string();
        let Comparison::RightRehashed(renewed) = passwords.compare(GOOD, Some(&old)).await.expect("compares") else {
            panic!("not renewed")
        };
        assert!(renewed.contains("m=19456,t=2,p=1"), "{renewed}");
        assert_eq!(passwords.compare(GOOD, Some(&renewed)).await.expect("compares"), Comparison::Right);
    }

    #[tokio::test]
    async fn what_is_stored_is_what_the_crate_itself_reads_and_memory_is_used_again() {
        let passwords = Passwords::with_places(2, Duration::from_secs(10)).expect("hashes");
        let hashes = futures_util::future::join_all((0..12).map(|_| passwords.hash(GOOD))).await;
        for stored in hashes {
            let stored = stored.expect("hashes");
            let parsed = PasswordHash::new(&stored).expect("a PHC string");
            let theirs = Argon2::default();
            assert_eq!(theirs.verify_password(GOOD.as_bytes(), &parsed), Ok(()));
            assert!(theirs.verify_password(b"copper lantern winds 8 rivers", &parsed).is_err());
        }
        let kept = passwords.memory.lock().expect("lock").len();
        assert!((1..=2).contains(&kept), "{kept} for two places");

        let one = Passwords::with_places(1, Duration::from_secs(10)).expect("hashes");
        one.memory.lock().expect("lock")[0].reserve(1024);
        let size = || one.memory.lock().expect("lock")[0].capacity();
        let before = size();
        one.hash(GOOD).await.expect("hashes");
        assert_eq!(size(), before, "not the memory of the one before");
    }

    #[tokio::test]
    async fn says_busy_instead_of_piling_up() {
        let passwords = Passwords::with_places(0, Duration::from_millis(1)).expect("hashes");
        assert!(matches!(passwords.hash(GOOD).await, Err(PasswordError::Busy)));
    }
}

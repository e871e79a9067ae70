//! The address for replies: which complaint they belong to, and to whom it was given.

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use complaint_core::id::ComplaintId;
use complaint_core::notice::Recipient;
use complaint_core::reference::Reference;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::header;

/// What the key is used for, so that a token of another purpose is worth nothing here.
const PURPOSE: &[u8] = b"complaint reply 1";
/// RFC 4648, 6, in lower case: mail servers may change the case of an address.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// RFC 5321, 4.5.3.1.1.
const LOCAL_PART_MAX: usize = 64;
const REFERENCE: usize = 9;
const DAY: usize = 4;
/// 128 bits, of which RFC 2104, 5 says that no fewer should be kept.
const MAC: usize = 26;
const TOKEN: usize = REFERENCE + DAY + MAC;
/// The fewest bytes of a key: as many as the hash has (RFC 2104, 3).
const KEY_MIN: usize = 32;

/// Why an address for replies cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReplyAddress {
    /// It is none, or its part before the `@` has a `+` or is too long to take a token (at most 24 characters).
    #[error("the address for replies must be an e-mail address with at most 24 characters and no + before the @")]
    Address,
    /// Fewer than 32 bytes.
    #[error("the key for the address for replies must have at least {KEY_MIN} bytes")]
    Key,
    /// Not between one day and ten years.
    #[error("an address for replies must be good for 1 to 3650 days")]
    Days,
}

/// Why a token is not taken. Example: [`ReplyAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It was not made with this key, or for another complaint or another person.
    #[error("the address was not made for this complaint and this person")]
    Forged,
    /// Its time is over.
    #[error("the time for replies to this address is over")]
    Expired,
}

/// A token as it stands in an address: what it claims, not yet believed. Example: [`ReplyAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyToken {
    reference: Reference,
    day: u32,
    mac: [u8; 16],
}

impl ReplyToken {
    /// The complaint that it claims to be for.
    pub fn reference(&self) -> Reference {
        self.reference
    }
}

/// The address that letters give for replies. Each recipient of each complaint has their own:
/// `complaints+<token>@example.org`.
///
/// The token is an HMAC-SHA256 over its purpose, the complaint, the recipient and the day on which it ends. Whoever has it can at
/// most write to that complaint, as that person: check that the sender is that person as well.
///
/// ```
/// use chrono::{DateTime, Duration, Utc};
/// use complaint_core::id::{ComplaintId, CustomerId};
/// use complaint_core::notice::Recipient;
/// use complaint_notify::inbound::{ReplyAddress, TokenFault};
///
/// let replies = ReplyAddress::new("complaints@example.org", b"32 bytes that nobody else knows.", 90)?;
/// let now: DateTime<Utc> = "2026-11-02T10:00:00Z".parse()?;
/// let (id, reference) = (ComplaintId::from_uuid(uuid::Uuid::from_u128(7)), "C7KQ-2M9X-B".parse()?);
/// let john = Recipient::Customer(CustomerId::new("john")?);
///
/// let address = replies.for_recipient(id, reference, &john, now);
/// assert!(address.starts_with("complaints+c7kq2m9xb") && address.ends_with("@example.org"));
///
/// let token = replies.token_in(&address.to_uppercase()).expect("it has one");
/// assert_eq!(token.reference(), reference);
/// assert_eq!(replies.check(&token, id, &john, now), Ok(()));
/// assert_eq!(replies.check(&token, id, &john, now + Duration::days(91)), Err(TokenFault::Expired));
/// let mary = Recipient::Customer(CustomerId::new("mary")?);
/// assert_eq!(replies.check(&token, id, &mary, now), Err(TokenFault::Forged));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ReplyAddress {
    local: String,
    domain: String,
    key: Vec<u8>,
    days: u32,
}

impl ReplyAddress {
    /// An address that takes mail with anything behind a `+` (RFC 5233), a key of at least 32 secret bytes, and for how many days a
    /// reply is taken, counted from the letter.
    pub fn new(address: &str, key: &[u8], days: u32) -> Result<Self, InvalidReplyAddress> {
        let address = header::address(address.trim()).map_err(|_| InvalidReplyAddress::Address)?;
        if address.user().contains('+') || address.user().len() + 1 + TOKEN > LOCAL_PART_MAX {
            return Err(InvalidReplyAddress::Address);
        }
        if key.len() < KEY_MIN {
            return Err(InvalidReplyAddress::Key);
        }
        if !(1..=3650).contains(&days) {
            return Err(InvalidReplyAddress::Days);
        }
        let (local, domain) = (address.user().to_owned(), address.domain().to_owned());
        Ok(Self { local, domain, key: key.to_vec(), days })
    }

    /// The address without a token: where new complaints go.
    pub fn plain(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The address for what this person answers to a letter of this instant about this complaint. The same arguments always give
    /// the same address.
    pub fn for_recipient(
        &self,
        complaint: ComplaintId,
        reference: Reference,
        recipient: &Recipient,
        sent_at: DateTime<Utc>,
    ) -> String {
        let day = days_since_epoch(sent_at + Duration::days(self.days.into()));
        let mac = self.mac(complaint, reference, recipient, day).finalize().into_bytes();
        let reference = reference.to_string().replace('-', "").to_lowercase();
        let mac = base32(&mac[..16], MAC);
        format!("{}+{reference}{}{mac}@{}", self.local, day_written(day), self.domain)
    }

    /// The token in an address of ours, in whatever case; `None` if it is another's, or has none.
    pub fn token_in(&self, address: &str) -> Option<ReplyToken> {
        let (local, domain) = address.trim().rsplit_once('@')?;
        let (before, token) = local.split_once('+')?;
        if !domain.eq_ignore_ascii_case(&self.domain) || !before.eq_ignore_ascii_case(&self.local) {
            return None;
        }
        let token = token.to_ascii_lowercase();
        if token.len() != TOKEN || !token.is_ascii() {
            return None;
        }
        let (reference, rest) = token.split_at(REFERENCE);
        let (day, mac) = rest.split_at(DAY);
        Some(ReplyToken {
            reference: reference.parse().ok()?,
            day: day_read(day)?,
            mac: from_base32(mac)?.try_into().ok()?,
        })
    }

    /// The tokens in all of these addresses, each once.
    pub fn tokens_in<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> Vec<ReplyToken> {
        let mut tokens = Vec::new();
        for token in addresses.into_iter().filter_map(|address| self.token_in(address)) {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        tokens
    }

    /// Whether it is this person's token for this complaint. Takes the same time however much of it is right.
    ///
    /// # Errors
    /// [`TokenFault::Forged`] before [`TokenFault::Expired`]: what is forged says nothing about when it ends.
    pub fn check(
        &self,
        token: &ReplyToken,
        complaint: ComplaintId,
        recipient: &Recipient,
        now: DateTime<Utc>,
    ) -> Result<(), TokenFault> {
        let mac = self.mac(complaint, token.reference, recipient, token.day);
        mac.verify_truncated_left(&token.mac).map_err(|_| TokenFault::Forged)?;
        if days_since_epoch(now) > token.day { Err(TokenFault::Expired) } else { Ok(()) }
    }

    /// Whether an address is ours, with or without a token.
    pub fn is_ours(&self, address: &str) -> bool {
        address.trim().rsplit_once('@').is_some_and(|(local, domain)| {
            let local = local.split('+').next().unwrap_or_default();
            domain.eq_ignore_ascii_case(&self.domain) && local.eq_ignore_ascii_case(&self.local)
        })
    }

    fn mac(&self, complaint: ComplaintId, reference: Reference, recipient: &Recipient, day: u32) -> Hmac<Sha256> {
        let (role, id) = match recipient {
            Recipient::Customer(id) => ("customer", id.as_str().to_owned()),
            Recipient::Agent(id) => ("agent", id.as_str().to_owned()),
            // Several people: nobody can say which of them answers.
            Recipient::Level { level, .. } => ("level", level.to_string()),
            Recipient::Admins => ("admins", String::new()),
            // A program gets no letters.
            Recipient::Endpoint(id) => ("endpoint", id.to_string()),
        };
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).expect("HMAC takes keys of every length");
        let (uuid, reference) = (complaint.as_uuid(), reference.to_string());
        let parts = [PURPOSE, uuid.as_bytes(), reference.as_bytes(), role.as_bytes(), id.as_bytes()];
        for part in parts {
            // The length first: no two lists of parts are the same bytes.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.update(&day.to_be_bytes());
        mac
    }
}

impl fmt::Debug for ReplyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyAddress").field("address", &self.plain()).field("days", &self.days).finish_non_exhaustive()
    }
}

fn days_since_epoch(at: DateTime<Utc>) -> u32 {
    u32::try_from(at.timestamp().div_euclid(86_400)).unwrap_or_default()
}

/// Four characters of five bits: until the year 4840.
fn day_written(day: u32) -> String {
    [15, 10, 5, 0].map(|shift| char::from(BASE32[(day >> shift & 31) as usize])).iter().collect()
}

fn day_read(written: &str) -> Option<u32> {
    written.bytes().try_fold(0, |day, symbol| Some(day << 5 | symbol_value(symbol)?))
}

fn symbol_value(symbol: u8) -> Option<u32> {
    BASE32.iter().position(|known| *known == symbol).and_then(|at| u32::try_from(at).ok())
}

fn base32(bytes: &[u8], length: usize) -> String {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let symbol = |at: usize| (0..5).fold(0, |value, offset| value << 1 | usize::from(bit(at * 5 + offset)));
    (0..length).map(|at| char::from(BASE32[symbol(at)])).collect()
}

/// Refuses bits that stand for nothing: one token has one spelling.
fn from_base32(written: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    for symbol in written.bytes() {
        held = held << 5 | symbol_value(symbol)?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    (held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use complaint_core::id::CustomerId;

    fn replies() -> ReplyAddress {
        ReplyAddress::new("complaints@example.org", &[7; 32], 90).unwrap()
    }

    fn complaint(number: u128) -> (ComplaintId, Reference) {
        (ComplaintId::from_uuid(uuid::Uuid::from_u128(number)), Reference::from_entropy(number * 1_234_567_891_011))
    }

    fn john() -> Recipient {
        Recipient::Customer(CustomerId::new("john").unwrap())
    }

    fn now() -> DateTime<Utc> {
        "2026-11-02T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn each_changed_character_makes_it_worthless() {
        let (id, reference) = complaint(1);
        let address = replies().for_recipient(id, reference, &john(), now());
        let (start, end) = (address.find('+').unwrap() + 1, address.find('@').unwrap());
        assert!(end <= LOCAL_PART_MAX);
        let mut tried = 0;
        for at in start..end {
            for symbol in b"abcdefghijklmnopqrstuvwxyz0123456789+-=." {
                let mut changed = address.clone().into_bytes();
                if changed[at] == *symbol {
                    continue;
                }
                changed[at] = *symbol;
                let changed = String::from_utf8(changed).unwrap();
                let taken =
                    replies().token_in(&changed).is_some_and(|it| replies().check(&it, id, &john(), now()).is_ok());
                assert!(!taken, "{changed}");
                tried += 1;
            }
        }
        assert!(tried > 1500);
    }

    #[test]
    fn it_is_good_for_one_complaint_one_person_one_key_and_its_time() {
        let ((id, reference), (other_id, other_reference)) = (complaint(1), complaint(2));
        let token = |address: &str| replies().token_in(address).unwrap();
        let ours = token(&replies().for_recipient(id, reference, &john(), now()));
        assert_eq!(replies().check(&ours, id, &john(), now()), Ok(()));
        assert_eq!(replies().check(&ours, other_id, &john(), now()), Err(TokenFault::Forged));
        // The number of another complaint before our own proof.
        let moved = ReplyToken { reference: other_reference, ..ours };
        assert_eq!(replies().check(&moved, id, &john(), now()), Err(TokenFault::Forged));
        assert_eq!(replies().check(&moved, other_id, &john(), now()), Err(TokenFault::Forged));
        let johns_as_agent = Recipient::Agent(complaint_core::id::AgentId::new("john").unwrap());
        assert_eq!(replies().check(&ours, id, &johns_as_agent, now()), Err(TokenFault::Forged));
        let foreign = ReplyAddress::new("complaints@example.org", &[8; 32], 90).unwrap();
        assert_eq!(foreign.check(&ours, id, &john(), now()), Err(TokenFault::Forged));
        let longer = ReplyToken { day: ours.day + 1, ..ours };
        assert_eq!(replies().check(&longer, id, &john(), now()), Err(TokenFault::Forged));
        assert_eq!(replies().check(&ours, id, &john(), now() + Duration::days(90)), Ok(()), "its last day");
        assert_eq!(replies().check(&ours, id, &john(), now() + Duration::days(91)), Err(TokenFault::Expired));
    }

    #[test]
    fn only_our_own_addresses_have_tokens() {
        let (id, reference) = complaint(1);
        let address = replies().for_recipient(id, reference, &john(), now());
        let token = address.split(['+', '@']).nth(1).unwrap();
        for other in [
            "complaints@example.org".to_owned(),
            format!("complaints+{token}@evil.example"),
            format!("help+{token}@example.org"),
            format!("complaints+{token}x@example.org"),
            format!("complaints+{}@example.org", &token[1..]),
            format!("complaints+{}@example.org", "ü".repeat(TOKEN / 2)),
            "complaints+@example.org".to_owned(),
            String::new(),
        ] {
            assert_eq!(replies().token_in(&other), None, "{other}");
        }
        let all = [address.as_str(), "else@example.org", address.as_str()];
        assert_eq!(replies().tokens_in(all).len(), 1);
        assert!(
            replies().is_ours(&address)
                && replies().is_ours("COMPLAINTS@example.org")
                && !replies().is_ours("x@y.example")
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_keys_are_never_shown() {
        let new = |address: &str, key: usize, days| ReplyAddress::new(address, &vec![1; key], days).map(|_| ());
        assert_eq!(new("complaints@example.org", 32, 1), Ok(()));
        assert_eq!(new("twenty.four.characters.x@example.org", 32, 1), Ok(()));
        assert_eq!(new("twenty.five.characters.xy@example.org", 32, 1), Err(InvalidReplyAddress::Address));
        assert_eq!(new("a+b@example.org", 32, 1), Err(InvalidReplyAddress::Address));
        assert_eq!(new("nobody", 32, 1), Err(InvalidReplyAddress::Address));
        assert_eq!(new("a@example.org", 31, 1), Err(InvalidReplyAddress::Key));
        assert_eq!(new("a@example.org", 32, 0), Err(InvalidReplyAddress::Days));
        assert_eq!(new("a@example.org", 32, 3651), Err(InvalidReplyAddress::Days));
        assert!(!format!("{:?}", replies()).contains('7'));
    }
}

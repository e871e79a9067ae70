//! Amounts of money: whole minor units and a currency, never a floating-point number.
//!
//! Example: [`Money`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::InvalidId;

/// The currencies in use (ISO 4217, list one, as of January 2026, without metals, funds, units of account of organisations
/// and testing codes).
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
    CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ \
    GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL \
    LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR \
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY \
    TTD TWD TZS UAH UGX USD UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// An ISO 4217 alphabetic code of a currency in use, three capital letters.
///
/// ```
/// use complaint_core::money::Currency;
///
/// let yen = Currency::new("jpy")?;
/// assert_eq!((yen.to_string().as_str(), yen.decimals()), ("JPY", 0));
/// assert!(Currency::new("XXX").is_err(), "no currency that anybody pays in");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code, any case.
    pub fn new(code: &str) -> Result<Self, InvalidId> {
        let bytes: [u8; 3] = code
            .trim()
            .to_ascii_uppercase()
            .into_bytes()
            .try_into()
            .map_err(|_| InvalidId::new("currency", "an ISO 4217 code such as EUR"))?;
        if CODES.split(' ').any(|known| known.as_bytes() == bytes) {
            Ok(Self(bytes))
        } else {
            Err(InvalidId::new("currency", "an ISO 4217 code such as EUR"))
        }
    }

    /// How many decimal places the minor unit has (ISO 4217, column "minor unit").
    pub fn decimals(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"UYW" => 4,
            _ => 2,
        }
    }

    /// Minor units as people write them: `12.50` for 1250 cents.
    pub fn decimal(self, minor_units: u128) -> String {
        let decimals = self.decimals();
        if decimals == 0 {
            return minor_units.to_string();
        }
        let scale = 10_u128.pow(decimals);
        let width = decimals as usize;
        format!("{}.{:0width$}", minor_units / scale, minor_units % scale)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{}", char::from(*b)))
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidId;

    fn try_from(code: String) -> Result<Self, InvalidId> {
        Self::new(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.to_string()
    }
}

/// An amount in a currency: whole minor units inside, `12.50 EUR` wherever it is written or stored.
///
/// ```
/// use complaint_core::money::{Currency, Money};
///
/// let refund: Money = "12.5 EUR".parse()?;
/// assert_eq!(refund, Money::new(1250, Currency::new("EUR")?)?);
/// assert_eq!((refund.to_string().as_str(), refund.decimal().as_str()), ("12.50 EUR", "12.50"));
/// assert_eq!(Money::from_decimal("12.5", refund.currency())?, refund);
/// assert!("0.125 EUR".parse::<Money>().is_err(), "there is no half of a cent");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    minor_units: u64,
    currency: Currency,
}

impl Money {
    /// The most that can be written and read, in minor units: integers beyond 2^53 do not survive a round trip through
    /// JavaScript clients.
    pub const MAX: u64 = (1 << 53) - 1;

    /// An amount of minor units: cents of a euro, whole yen.
    ///
    /// # Errors
    /// If it is more than [`Money::MAX`]: written down, it could never be read again.
    pub fn new(minor_units: u64, currency: Currency) -> Result<Self, InvalidId> {
        if minor_units > Self::MAX {
            return Err(InvalidId::new("amount", "at most 9007199254740991 of the currency's smallest unit"));
        }
        Ok(Self { minor_units, currency })
    }

    /// The amount in minor units.
    pub fn minor_units(self) -> u64 {
        self.minor_units
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Reads a decimal amount of a currency, e.g. `12.50`. Nothing, `0`, is an amount too; whether it makes sense somewhere
    /// is for whoever asks for one to say.
    pub fn from_decimal(amount: &str, currency: Currency) -> Result<Self, InvalidId> {
        let wrong = || {
            let expected = "a decimal number, 0 or more, with no more places than the currency has, e.g. 12.50";
            InvalidId::new("amount", expected)
        };
        let decimals = currency.decimals();
        let amount = amount.trim();
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let places = u32::try_from(fraction.len()).map_err(|_| wrong())?;
        if whole.is_empty() || amount.ends_with('.') || !digits(whole) || !digits(fraction) || places > decimals {
            return Err(wrong());
        }
        let scale = 10_u64.pow(decimals);
        let minor: u64 = if fraction.is_empty() {
            0
        } else {
            fraction.parse::<u64>().map_err(|_| wrong())? * 10_u64.pow(decimals - places)
        };
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        whole
            .checked_mul(scale)
            .and_then(|units| units.checked_add(minor))
            .ok_or_else(wrong)
            .and_then(|units| Self::new(units, currency))
    }

    /// The amount without the currency, e.g. `12.50`.
    pub fn decimal(self) -> String {
        self.currency.decimal(u128::from(self.minor_units))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

impl FromStr for Money {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (amount, code) = text
            .trim()
            .rsplit_once(' ')
            .ok_or_else(|| InvalidId::new("money", "an amount and a currency, e.g. 12.50 EUR"))?;
        Self::from_decimal(amount, Currency::new(code)?)
    }
}

impl TryFrom<String> for Money {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> String {
        money.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_by_the_places_of_the_currency() {
        for (text, minor) in [("12.50 EUR", 1250), ("12.5 EUR", 1250), ("12 EUR", 1200), ("7 JPY", 7), ("0.001 KWD", 1)]
        {
            assert_eq!(text.parse::<Money>().unwrap().minor_units(), minor, "{text}");
        }
        assert_eq!("12.5 eur".parse::<Money>().unwrap().to_string(), "12.50 EUR");
        assert_eq!("7 JPY".parse::<Money>().unwrap().to_string(), "7 JPY");
        assert_eq!("1.5 KWD".parse::<Money>().unwrap().to_string(), "1.500 KWD");
        assert_eq!("1.5 UYW".parse::<Money>().unwrap().to_string(), "1.5000 UYW");
        assert_eq!(String::from(Currency::new("KWD").unwrap()), "KWD");
        for most in ["90071992547409.91 EUR", "9007199254740991 JPY", "9007199254740.991 KWD"] {
            let money: Money = most.parse().unwrap();
            assert_eq!((money.minor_units(), money.to_string().as_str()), (Money::MAX, most));
        }
        assert_eq!(Currency::new("KWD").unwrap().decimal(u128::from(u64::MAX) * 2), "36893488147419103.230");
    }

    #[test]
    fn whatever_is_an_amount_can_be_read_back() {
        for code in CODES.split_whitespace() {
            let currency = Currency::new(code).unwrap();
            for minor_units in [0, 1, 9, 10_001, Money::MAX] {
                let money = Money::new(minor_units, currency).unwrap();
                assert_eq!(money.to_string().parse(), Ok(money));
            }
            for minor_units in [Money::MAX + 1, u64::MAX] {
                assert!(Money::new(minor_units, currency).is_err(), "{minor_units} {code}");
            }
        }
        assert_eq!("0 EUR".parse::<Money>().unwrap().minor_units(), 0, "as the message says");
        assert!("-1 EUR".parse::<Money>().unwrap_err().to_string().contains("0 or more"));
    }

    #[test]
    fn what_nobody_is_paid_in_is_no_currency() {
        let funds = ["BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI"];
        let others = ["XAU", "XDR", "XTS", "XXX"];
        // Since 2023 and 2026 these countries have the euro.
        for code in funds.into_iter().chain(others).chain(["HRK", "BGN"]) {
            assert!(Currency::new(code).is_err(), "{code}");
        }
        assert!(CODES.split(' ').all(|code| code.len() == 3) && CODES.split(' ').is_sorted());
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for bad in [
            "",
            "EUR",
            "-1 EUR",
            "1.234 EUR",
            "1.5 JPY",
            "1e3 EUR",
            "1,50 EUR",
            ".5 EUR",
            "5. EUR",
            "7. JPY",
            "1.0001 KWD",
            "99999999999999999999999 EUR",
            "184467440737095516.16 EUR",
            "9007199254740993 JPY",
            "5 XXZ",
        ] {
            let result = bad.parse::<Money>();
            assert!(result.is_err(), "{bad} gave {result:?}");
        }
    }
}

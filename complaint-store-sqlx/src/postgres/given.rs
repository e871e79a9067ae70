//! What the driver takes from a URL and does not give back.

use std::fs::File;
use std::io::ErrorKind;

use complaint_core::store::StoreError;
use tokio::process::Command;

use super::fault;

/// What the driver knows. It passes over other parameters, with a line in the log that repeats what they say: a misspelt
/// `password` as well.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// What a URL names that proves who somebody is. Never shown.
#[derive(Clone)]
pub(super) struct Given {
    password: Option<String>,
    certificates: Vec<Certificate>,
}

#[derive(Clone)]
struct Certificate {
    /// The parameter, as programs of PostgreSQL know it in their environment.
    variable: &'static str,
    name: String,
    /// A path, or the certificate itself.
    value: String,
}

impl Given {
    /// What a URL names that the driver has taken already.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a parameter that it does not know, and for what is not UTF-8.
    pub(super) fn of(url: &str) -> Result<Self, StoreError> {
        let (_, rest) = url.split_once("://").unwrap_or_default();
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.split_once('/').map_or(place, |(authority, _)| authority);
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        let password = user.split_once(':').map(|(_, password)| decoded(password)).transpose()?;
        let mut given = Self { password, certificates: Vec::new() };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let (name, value) = (decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?);
            if !PARAMETERS.contains(&name.as_str()) && !name.starts_with("options[") {
                return Err(StoreError::Unusable(format!("no URL of PostgreSQL: there is no parameter {name:?}")));
            }
            let variable = match name.as_str() {
                "password" => {
                    given.password = Some(value);
                    continue;
                }
                "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
                "sslcert" | "ssl-cert" => "PGSSLCERT",
                "sslkey" | "ssl-key" => "PGSSLKEY",
                _ => continue,
            };
            given.certificates.retain(|known| known.variable != variable);
            given.certificates.push(Certificate { variable, name, value });
        }
        Ok(given)
    }

    /// Whether every file that is named can be read. The driver would not say which cannot.
    pub(super) fn look(&self) -> Result<(), StoreError> {
        for Certificate { name, value, .. } in self.certificates.iter().filter(|certificate| certificate.is_path()) {
            File::open(value).map_err(|why| StoreError::Unusable(format!("{name}: cannot read {value}: {why}")))?;
        }
        Ok(())
    }

    /// Gives a program of PostgreSQL the same, in its environment: arguments can be read by every user of a machine.
    pub(super) fn tell(&self, program: &mut Command) -> Result<(), StoreError> {
        if let Some(password) = &self.password {
            program.env("PGPASSWORD", password);
        }
        for certificate in &self.certificates {
            if !certificate.is_path() {
                let why = "holds a certificate or key: programs of PostgreSQL need the path of a file";
                return Err(StoreError::Unusable(format!("{} {why}", certificate.name)));
            }
            program.env(certificate.variable, &certificate.value);
        }
        Ok(())
    }

    /// Why no connection was made. What only another URL, certificate or password can mend is told as that.
    pub(super) fn refusal(&self, error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::Tls(why) => StoreError::Unusable(format!("no TLS with the database: {why}")),
            // As this comes what a certificate is refused for.
            sqlx::Error::Io(why) if why.kind() == ErrorKind::InvalidData => {
                StoreError::Unusable(format!("no TLS with the database: {why}"))
            }
            sqlx::Error::Database(said) if self.password.is_none() && said.code().as_deref() == Some("28P01") => {
                StoreError::Unusable(format!("the URL names no password, and the database says: {}", said.message()))
            }
            // As a proxy says it.
            sqlx::Error::Database(said) if said.message().contains("startup parameter") => {
                StoreError::Unusable(format!(
                    "{}: a proxy has to let the startup parameters through, or to ignore them (PgBouncer: \
                 ignore_startup_parameters = options, extra_float_digits); then set the time-outs of the role",
                    said.message()
                ))
            }
            _ => fault::meaning(error),
        }
    }
}

impl Certificate {
    fn is_path(&self) -> bool {
        !self.value.trim_start().starts_with("-----BEGIN")
    }
}

/// A part of a URL, byte by byte.
fn decoded(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%').and_then(|digits| str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).map_err(|_| StoreError::Unusable("no URL of PostgreSQL: a part of it is not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_read_as_the_driver_reads_it() {
        let password = |url: &str| Given::of(url).unwrap().password;
        assert_eq!(password("postgres://u:p%40%2F%25%20%C3%A4@db.example.org/c").as_deref(), Some("p@/% ä"));
        assert_eq!(password("postgres://u:a:b+c@db/c?sslmode=require").as_deref(), Some("a:b+c"));
        assert_eq!(password("postgres://u:no@db/c?password=a+b%2B").as_deref(), Some("a b+"));
        assert_eq!(password("postgres://u@db/c?application_name=a:b@c"), None);
        assert_eq!(password("postgres:///c"), None);
        let given = Given::of("postgres://db/c?ssl-ca=/a&sslrootcert=%2Fb.crt&sslkey=-----BEGIN+KEY-----").unwrap();
        let values: Vec<_> =
            given.certificates.iter().map(|it| (it.variable, it.value.as_str(), it.is_path())).collect();
        assert_eq!(values, [("PGSSLROOTCERT", "/b.crt", true), ("PGSSLKEY", "-----BEGIN KEY-----", false)]);
    }
}

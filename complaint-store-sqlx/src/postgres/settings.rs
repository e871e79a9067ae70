//! How connections are made, and what a server must be like.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use complaint_core::store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Row};

use super::given::Given;
use super::{PostgresStore, fault};

/// The oldest server that is known to work.
const OLDEST: i64 = 140_000;
/// How long a connection may rest before it is asked whether it is still there. Shorter than anybody notices, longer
/// than it rests under load: then no question costs a round trip.
const TRUSTED: Duration = Duration::from_secs(1);
/// How much longer than the server a caller waits, before the server is taken for gone.
const GRACE: Duration = Duration::from_secs(2);

/// How a store on PostgreSQL is opened.
///
/// Behind a proxy that pools transactions:
/// - it has to keep prepared statements: `PgBouncer` from 1.21 on with `max_prepared_statements` above 0. A statement is prepared in
///   one exchange and used in the next, so an earlier one loses it whatever the driver is told;
/// - the startup parameters must be let through or ignored (`ignore_startup_parameters = options, extra_float_digits`). If they are
///   ignored, the role has to have the time-outs: `ALTER ROLE app SET statement_timeout = '10s'`, `lock_timeout = '5s'`,
///   `idle_in_transaction_session_timeout = '1min'`, and no other `default_transaction_isolation` than `read committed`;
/// - [`changes`](PostgresStore::changes) hears nothing, and `drill` cannot make its database: let these connect to the server itself.
///
/// Nothing else is needed: statements name the schema, locks last for a transaction. What a proxy refuses is told at
/// [`open`](Self::open), or with the first statement that is lost, with what to set there.
///
/// ```no_run
/// # async fn f() -> Result<(), complaint_core::store::StoreError> {
/// use std::time::Duration;
/// use complaint_store_sqlx::postgres::PostgresOptions;
///
/// let store = PostgresOptions::new("postgres://app@db.example.org/app?sslmode=verify-full")?
///     .in_schema("complaints")?
///     .with_connections(32)
///     .with_statement_timeout(Duration::from_secs(5))
///     .open()
///     .await?;
/// store.migrate().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) connect: PgConnectOptions,
    pub(super) given: Given,
    pub(super) schema: String,
    connections: u32,
    statement_timeout: Duration,
    durable: bool,
    announcing: bool,
}

impl PostgresOptions {
    /// Options of a URL: `postgres://user:password@host:port/database`, with `sslmode`, `sslrootcert`, `sslcert`,
    /// `sslkey` and `host=/folder/of/the/socket` as parameters.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if it is none or has a parameter that is not known. The message does not repeat what it
    /// holds: that may be a password.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Unusable("no URL of PostgreSQL: it begins with postgres://".into()));
        }
        let given = Given::of(url)?;
        let connect = url.parse().map_err(|fault| StoreError::Unusable(format!("no URL of PostgreSQL: {fault}")))?;
        Ok(Self {
            connect,
            given,
            schema: "public".into(),
            connections: 16,
            statement_timeout: Duration::from_secs(10),
            durable: true,
            announcing: false,
        })
    }

    /// The schema that holds the tables, `public` unless said; `migrate` makes it if it is missing.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] unless it is 1 to 40 lower-case letters, digits and underscores, a letter first, and none
    /// of those that are PostgreSQL's own (`pg_…`, `information_schema`).
    pub fn in_schema(self, schema: &str) -> Result<Self, StoreError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if ["pg_", "information_schema"].iter().any(|own| schema.starts_with(own)) {
            return Err(StoreError::Unusable(format!("the schema {schema:?} is PostgreSQL's own")));
        }
        if schema.len() > 40 || !schema.bytes().all(fits) || !schema.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(StoreError::Unusable(format!(
                "{schema:?} is no name for a schema: 1 to 40 lower-case letters, digits and underscores, a letter first"
            )));
        }
        Ok(Self { schema: schema.to_owned(), ..self })
    }

    /// How many connections there may be at once, 16 unless said; who finds none free waits for one.
    pub fn with_connections(self, most: u32) -> Self {
        Self { connections: most.max(1), ..self }
    }

    /// How long a statement may take, 10 seconds unless said; half of it may pass in waiting for a lock. A caller waits
    /// two seconds longer for an answer, then takes the server for gone.
    pub fn with_statement_timeout(self, timeout: Duration) -> Self {
        Self { statement_timeout: timeout.max(Duration::from_millis(2)), ..self }
    }

    /// Takes a server that may lose what it acknowledged (`fsync`, `full_page_writes` or `synchronous_commit` off), for
    /// tests and trials.
    pub fn not_durable(self) -> Self {
        Self { durable: false, ..self }
    }

    /// Tells every server that [listens](PostgresStore::changes) what this one commits.
    pub fn announcing(self) -> Self {
        Self { announcing: true, ..self }
    }

    /// Opens the store. Never migrates: call [`migrate`](PostgresStore::migrate).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached, [`StoreError::Unusable`] if it is not the one its
    /// certificate should name, refuses user or password, is older than 14, has another encoding than UTF-8, is not durable,
    /// or has a schema newer than this library.
    pub async fn open(self) -> Result<PostgresStore, StoreError> {
        let millis = |time: Duration| time.as_millis().to_string();
        let connect = self.connect.clone().options([
            ("statement_timeout", millis(self.statement_timeout)),
            ("lock_timeout", millis(self.statement_timeout / 2)),
            ("idle_in_transaction_session_timeout", millis(self.statement_timeout * 6)),
            // A change counts what others committed meanwhile, whatever the database's default is.
            ("default_transaction_isolation", "read committed".to_owned()),
            // Where a host finds its own tables on these connections. Statements of ours name the schema.
            ("search_path", self.schema.clone()),
        ]);
        // Not from the pool: it would try a server that refuses it again and again, and in the end say that it waited.
        let mut connection = self.connected(&connect).await?;
        let pool = pool(connect, self.connections, self.statement_timeout);
        let mut store = PostgresStore::over(pool, &self.schema, self.statement_timeout + GRACE);
        store.announcer = self.announcing.then(Arc::default);
        probe(&store, &mut connection, self.durable).await?;
        store.look_at_schema(&mut connection).await?;
        Ok(store)
    }

    /// A connection of its own, or why there is none.
    pub(super) async fn connected(&self, to: &PgConnectOptions) -> Result<PgConnection, StoreError> {
        self.given.look()?;
        let patience = self.statement_timeout + GRACE;
        let connected = tokio::time::timeout(patience, PgConnection::connect_with(to)).await;
        connected.unwrap_or_else(|_| Err(fault::no_answer())).map_err(|error| self.given.refusal(error))
    }
}

/// Without what proves who somebody is.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("host", &self.connect.get_host())
            .field("port", &self.connect.get_port())
            .field("socket", &self.connect.get_socket())
            .field("user", &self.connect.get_username())
            .field("database", &self.connect.get_database())
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

fn pool(connect: PgConnectOptions, connections: u32, patience: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .test_before_acquire(false)
        .before_acquire(|connection, rested| {
            Box::pin(async move {
                if rested.idle_for < TRUSTED {
                    return Ok(true);
                }
                // An answer that does not come is one as well: it must not cost the caller all their patience.
                Ok(matches!(tokio::time::timeout(TRUSTED, connection.ping()).await, Ok(Ok(()))))
            })
        })
        .connect_lazy_with(connect)
}

async fn probe(store: &PostgresStore, connection: &mut PgConnection, durable: bool) -> Result<(), StoreError> {
    let rows = store.fetch(connection, sqlx::query(SETTINGS)).await.map_err(fault::meaning)?;
    let row = rows.first().ok_or_else(|| StoreError::Unusable("the server says nothing of its settings".into()))?;
    let text = |at: usize| row.try_get::<String, _>(at).map_err(fault::meaning);
    let version = row.try_get(0).map_err(fault::meaning)?;
    fit(version, &text(1)?, &[&text(2)?, &text(3)?, &text(4)?], durable)
}

const SETTINGS: &str = "SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'), \
                        current_setting('fsync'), current_setting('full_page_writes'), \
                        current_setting('synchronous_commit')";
/// Those of which one that is off may lose what was acknowledged, in the order in which they are asked for.
const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Whether a server is one that this store can keep its promises on.
fn fit(version: i64, encoding: &str, durable: &[&str; 3], must_be_durable: bool) -> Result<(), StoreError> {
    if version < OLDEST {
        return Err(StoreError::Unusable(format!("PostgreSQL {} is too old: 14 or later is needed", version / 10_000)));
    }
    if encoding != "UTF8" {
        return Err(StoreError::Unusable(format!("the database is encoded as {encoding}: UTF8 is needed")));
    }
    let weak: Vec<&str> =
        DURABLE.into_iter().zip(durable).filter(|(_, value)| **value == "off").map(|(name, _)| name).collect();
    if must_be_durable && !weak.is_empty() {
        return Err(StoreError::Unusable(format!("the server may lose what it acknowledged: {} off", weak.join(", "))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgresql_is_opened_and_no_password_is_told() {
        for bad in ["sqlite:x", "", "mysql://a:secret@b/c", "postgres://a:secret@b:port/c"] {
            let refused = PostgresOptions::new(bad).unwrap_err().to_string();
            assert!(refused.contains("no URL of PostgreSQL") && !refused.contains("secret"), "{refused}");
        }
        assert!(PostgresOptions::new("postgresql://a@b/c?sslmode=verify-full").is_ok());
        // The driver would pass over it, and repeat it in the log.
        let refused = PostgresOptions::new("postgres://a@b/c?pasword=secret").unwrap_err().to_string();
        assert!(refused.contains("no parameter \"pasword\"") && !refused.contains("secret"), "{refused}");
        let shown = format!("{:?}", PostgresOptions::new("postgres://a:secret@b/c?sslkey=secret").unwrap());
        assert!(shown.contains("\"b\"") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_server_that_cannot_keep_what_is_promised_is_refused() {
        let on = ["on", "on", "on"];
        let refused = |version, encoding, durable, must| match fit(version, encoding, &durable, must) {
            Err(StoreError::Unusable(why)) => why,
            other => panic!("{other:?} instead of unusable"),
        };
        for version in [140_000, 150_004, 170_006] {
            assert!(fit(version, "UTF8", &on, true).is_ok(), "{version}");
        }
        for (version, told) in [(90_624, "PostgreSQL 9 is too old"), (130_022, "PostgreSQL 13 is too old")] {
            let why = refused(version, "UTF8", on, false);
            assert!(why.contains(told) && why.contains("14 or later"), "{why}");
        }
        let why = refused(140_000, "LATIN1", on, false);
        assert!(why.contains("encoded as LATIN1: UTF8 is needed"), "{why}");
        for (at, name) in DURABLE.into_iter().enumerate() {
            let mut one_off = on;
            one_off[at] = "off";
            let why = refused(170_000, "UTF8", one_off, true);
            assert!(why.ends_with(&format!("acknowledged: {name} off")), "{why}");
            assert!(fit(170_000, "UTF8", &one_off, false).is_ok(), "{name}: whoever asks for it may");
        }
        // Weaker than usual, and still on the disk before the answer.
        assert!(fit(170_000, "UTF8", &["on", "on", "local"], true).is_ok());
    }

    #[test]
    fn a_schema_has_a_plain_name() {
        let options = || PostgresOptions::new("postgres://a@b/c").unwrap();
        for good in ["c", "complaints", "app_2", &"c".repeat(40)] {
            assert!(options().in_schema(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "C",
            "2c",
            "_c",
            "a b",
            "a\"; DROP",
            "ä",
            &"c".repeat(41),
            "pg_catalog",
            "pg_mine",
            "information_schema",
        ] {
            assert!(matches!(options().in_schema(bad), Err(StoreError::Unusable(_))), "{bad}");
        }
    }
}

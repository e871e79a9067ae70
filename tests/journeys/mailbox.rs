//! The mail folder of a running server, read as a person reads mail.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mail_parser::{MessageParser, MimeHeaders as _};

/// How long a mail may take to arrive.
const PATIENCE: Duration = Duration::from_mins(1);

/// Folders of `.eml` files, one for each server.
#[derive(Clone)]
pub(crate) struct Mailbox {
    folders: Vec<PathBuf>,
}

/// One mail.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Letter {
    /// The token of the first link in it.
    pub(crate) fn token(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("?token=")?;
        Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect())
    }
}

impl Letter {
    /// The end of the first link in it that leads below `path`, from there on.
    pub(crate) fn link(&self, path: &str) -> Option<String> {
        let rest = &self.text[self.text.find(path)?..];
        rest.split_whitespace().next().map(str::to_owned)
    }
}

impl Mailbox {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folders: vec![folder] }
    }

    /// With the mail of another server.
    pub(crate) fn and(mut self, folder: PathBuf) -> Self {
        self.folders.push(folder);
        self
    }

    /// All mails to an address whose subject or text contains `words`, oldest first.
    pub(crate) fn read(&self, to: &str, words: &str) -> Vec<Letter> {
        let mut files: Vec<PathBuf> = self
            .folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten())
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        // Their names begin with the instant.
        files.sort_by_key(|file| file.file_name().map(ToOwned::to_owned));
        files
            .iter()
            .filter_map(|file| {
                let raw = std::fs::read(file).ok()?;
                let message = MessageParser::default().parse(&raw)?;
                assert!(message.message_id().is_some(), "a mail without Message-ID");
                assert!(message.content_type().is_some(), "a mail without Content-Type");
                Some(Letter {
                    to: message.to()?.first()?.address()?.to_owned(),
                    subject: message.subject()?.to_owned(),
                    text: message.body_text(0)?.into_owned(),
                })
            })
            .filter(|letter| letter.to == to && (letter.subject.contains(words) || letter.text.contains(words)))
            .collect()
    }

    /// The newest mail to an address that contains `words`, once there is one.
    pub(crate) async fn wait_for(&self, to: &str, words: &str) -> Letter {
        let started = Instant::now();
        let mut look = tokio::time::interval(Duration::from_millis(50));
        loop {
            look.tick().await;
            if let Some(letter) = self.read(to, words).pop() {
                return letter;
            }
            let all: Vec<String> = self.read(to, "").into_iter().map(|letter| letter.subject).collect();
            assert!(started.elapsed() < PATIENCE, "no mail to {to} with {words:?}; there are: {all:?}");
        }
    }
}

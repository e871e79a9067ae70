//! Mail about accounts as files in a folder, for trying out without a relay.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::mail::{AccountMail, AccountMailError, AccountMessage};

/// Writes each mail as one `.eml` file.
pub struct FolderMail {
    folder: PathBuf,
}

impl FolderMail {
    /// Uses `folder`, made if missing.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }
}

#[async_trait]
impl AccountMail for FolderMail {
    async fn send(&self, message: &AccountMessage) -> Result<(), AccountMailError> {
        let (id, boundary) = (message.id, message.id.simple());
        // Our own texts are ASCII with short lines, so 7bit is enough.
        let part = |kind: &str, text: &str| {
            format!(
                "--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{}\r\n",
                text.replace('\n', "\r\n")
            )
        };
        let mail = format!(
            "Message-ID: <{id}@complaint.invalid>\r\nTo: {}\r\nFrom: complaints@localhost\r\nSubject: {}\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n{}{}--{boundary}--\r\n",
            message.to,
            message.subject,
            part("plain", &message.text),
            part("html", &message.html),
        );
        // Written aside and renamed: a reader never sees half a mail, and a second try replaces the first.
        let (aside, file) = (self.folder.join(format!("{id}.tmp")), self.folder.join(format!("{id}.eml")));
        let written = async {
            tokio::fs::write(&aside, mail).await?;
            tokio::fs::rename(&aside, &file).await
        };
        written.await.map_err(|error: std::io::Error| AccountMailError::Later(Box::new(error)))
    }

    fn destination(&self) -> String {
        self.folder.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::accounts::AccountMailKind;
    use crate::auth::mail::compose;

    #[tokio::test]
    async fn a_mail_is_one_readable_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let mail = FolderMail::open(&folder.path().join("mail")).expect("opens");
        let at = chrono::DateTime::from_timestamp(0, 0).expect("in range");
        let message = compose(
            uuid::Uuid::nil(),
            "j@example.org",
            AccountMailKind::VerifyEmail,
            "https://c.example",
            Some("https://c.example/verify?token=T"),
            at,
        );
        mail.send(&message).await.expect("sends");
        mail.send(&message).await.expect("sends again");
        let files: Vec<_> = std::fs::read_dir(folder.path().join("mail"))
            .expect("lists")
            .map(|entry| entry.expect("entry").path())
            .collect();
        assert_eq!(files.len(), 1);
        let raw = std::fs::read(&files[0]).expect("reads");
        let parsed = mail_parser::MessageParser::default().parse(&raw).expect("is a mail");
        assert_eq!(parsed.subject(), Some("Please confirm your e-mail address"));
        assert!(parsed.body_text(0).expect("text").contains("https://c.example/verify?token=T"));
        assert!(parsed.body_html(0).expect("html").contains("href=\"https://c.example/verify?token=T\""));
    }
}

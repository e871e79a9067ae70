//! A proxy before the PostgreSQL that `tests/run` starts, which can bring the server into trouble.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};

/// Between a client and the server: lets everything through, late, nothing, or nobody in.
pub(crate) struct Proxy {
    mode: watch::Sender<Mode>,
    /// An answer is held.
    held: Arc<Notify>,
    folder: tempfile::TempDir,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Through,
    /// Answers are held until this mode ends.
    Late,
    /// Connections stay open and nothing passes on them any more, whatever comes later.
    Silent,
    /// Connections end, nobody gets in.
    Cut,
}

impl Proxy {
    /// Before the server of a URL.
    pub(crate) fn before(url: &str) -> Self {
        let socket = socket_of(url);
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (mode, watched) = watch::channel(Mode::Through);
        let held = Arc::new(Notify::new());
        let holding = Arc::clone(&held);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() != Mode::Cut {
                    tokio::spawn(pass(client, socket.clone(), watched.clone(), Arc::clone(&holding)));
                }
            }
        });
        Self { mode, held, folder }
    }

    pub(crate) fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The database, through here.
    pub(crate) fn url(&self) -> String {
        format!("postgres://app@localhost/postgres?host={}", self.folder.path().display())
    }

    /// Waits until an answer is held; one permit may be left of an earlier one.
    pub(crate) async fn an_answer_is_held(&self) {
        self.held.notified().await;
    }
}

async fn pass(client: UnixStream, socket: PathBuf, mut mode: watch::Receiver<Mode>, held: Arc<Notify>) {
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut forth = [0; 4096];
    let mut back = [0; 4096];
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Cut => return,
            Mode::Silent => std::future::pending().await,
            Mode::Through | Mode::Late => {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let passed = tokio::select! {
                    changed = mode.changed() => { if changed.is_err() { return } continue }
                    read = from_client.read(&mut forth) => match read {
                        Ok(bytes @ 1..) => to_server.write_all(&forth[..bytes]).await,
                        _ => return,
                    },
                    read = from_server.read(&mut back) => match read {
                        Ok(bytes @ 1..) => {
                            if now == Mode::Late {
                                held.notify_one();
                                if mode.changed().await.is_err() {
                                    return;
                                }
                            }
                            to_client.write_all(&back[..bytes]).await
                        }
                        _ => return,
                    },
                };
                if passed.is_err() {
                    return;
                }
            }
        }
    }
}

fn socket_of(url: &str) -> PathBuf {
    let folder = url.split_once("host=").expect("a cluster behind a socket").1;
    Path::new(folder.split('&').next().unwrap_or(folder)).join(".s.PGSQL.5432")
}

//! The `demo` command.

use crate::config::DemoArgs;

/// Starts the server on a scratch database.
pub async fn run(args: DemoArgs) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let listener = tokio::net::TcpListener::bind(&args.listen).await?;
    drop(listener);
    Err("this build has no demonstration".into())
}

//! The stylesheet, the one script and the icon, under addresses that change with their content.

use std::fmt::Write as _;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::Problem;
use crate::extract::ApiPath;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// The address of a static file. It holds a digest of the content, so a browser may keep what it got for ever.
pub fn url(name: &str) -> String {
    let digest = Files::get(name).map_or_else(String::new, |file| digest(&file));
    format!("/static/{digest}/{name}")
}

/// `GET /static/{digest}/{name}`.
pub async fn serve(ApiPath((wanted, name)): ApiPath<(String, String)>) -> Result<Response, Problem> {
    let file = Files::get(&name).ok_or_else(Problem::not_found)?;
    // A page from before an update asks for the old content: it gets the new one, but must not keep it under that name.
    let keep = if wanted == digest(&file) { "public, max-age=31536000, immutable" } else { "public, max-age=60" };
    let kind =
        HeaderValue::from_str(file.metadata.mimetype()).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static(keep))];
    Ok((headers, file.data.into_owned()).into_response())
}

fn digest(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    hash.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! The dashboard: files of the build, and its first page for every address that is none.

use gastown_core::wire::code::Code;
use worker::{Env, Request};

use super::Head;
use super::reply::Reply;
use crate::error::{Fault, Refusal, Result};

/// A file of the dashboard. What is no file gets the first page, if the client takes HTML.
pub async fn serve(request: Request, env: &Env, head: &Head) -> Result<Reply> {
    if head.method != "GET" && head.method != "HEAD" {
        let refusal = Refusal::new(Code::MethodNotAllowed, "Only GET is offered here");
        return Err(Refusal { allow: Some("GET, HEAD".to_owned()), ..refusal }.into());
    }
    let is_file = head.path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let assets = crate::env::assets(env)?;
    let response = assets.fetch_request(request).await.map_err(|e| Fault::new("read a dashboard file", e))?;
    let is_page = response.headers().get("content-type").ok().flatten().is_some_and(|k| k.starts_with("text/html"));
    if is_page && (is_file || !head.accepts_html) && head.path != "/" {
        return Err(Refusal::new(Code::NotFound, "Not found").into());
    }
    Ok(Reply::passed(response))
}

//! The git gateway (container.md 8.4): smart HTTP between a session's git, or the runtime's own, and the rig's remote.
//! Access by capability, pushes judged before a byte is sent on, credentials added here and sent to the rig's own host
//! only. A `file:` remote is served by git itself behind the same rules.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use gastown_core::id::RigId;
use gastown_core::wire::control::StartFailureCode;
use gastown_core::wire::report::{GitOperation, Ref};
use reqwest::Url;
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use super::capability::Grant;
use super::push::{self, Commands, Head};
use super::{result, shown_capability};
use crate::fleet::Session;
use crate::git::GatewayFailure;
use crate::git::serve::{self, Service};
use crate::runtime::Runtime;
use crate::town::Town;

/// Query of `info/refs`.
#[derive(Deserialize)]
pub struct Asked {
    service: Option<String>,
}

/// Commands of a push are never longer than this.
const HEAD_MAX: usize = 1 << 20;
/// A fetch request names commits, never content.
const FETCH_REQUEST_MAX: usize = 16 << 20;

/// Whom the gateway serves.
struct Caller {
    town: Arc<Town>,
    rig: RigId,
    git_url: String,
    who: Who,
}

enum Who {
    Session(Arc<Session>),
    Command(Arc<super::capability::CommandGrant>),
}

impl Caller {
    fn reference(&self) -> Option<Ref> {
        match &self.who {
            Who::Session(session) => Some(session.reference),
            Who::Command(_) => None,
        }
    }

    /// Keeps the reason where the runtime's own git can find it; an agent reads it in the answer.
    fn fail(&self, status: StatusCode, code: StartFailureCode, message: &str) -> Response {
        match &self.who {
            Who::Command(command) => {
                let failure = GatewayFailure { code, message: message.to_owned() };
                *command.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            }
            Who::Session(session) => {
                tracing::warn!(assignment.id = %session.reference.assignment_id, "the git gateway refused: {message}");
            }
        }
        (status, format!("{message}\n")).into_response()
    }
}

/// `GET /git/:rig/info/refs`.
pub async fn info_refs(
    State(runtime): State<Arc<Runtime>>,
    Path(rig): Path<RigId>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let caller = match caller_of(&runtime, rig, &headers) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let Some(service) = asked.service.as_deref().and_then(Service::named) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let protocol = text_header(&headers, "git-protocol");
    match remote_of(&caller) {
        Ok(Target::Local(path)) => match serve::advertise(service, &path, protocol.as_deref()).await {
            Ok(body) => git_response(&format!("application/x-{}-advertisement", service.name()), Body::from(body)),
            Err(error) => not_found(&caller, &error.to_string()),
        },
        Ok(Target::Remote(url)) => {
            let address = below(&url, &format!("info/refs?service={}", service.name()));
            proxy(&caller, &url, service, reqwest::Method::GET, &address, &headers, None).await
        }
        Err(refusal) => *refusal,
    }
}

/// `POST /git/:rig/git-upload-pack`.
pub async fn upload_pack(
    State(runtime): State<Arc<Runtime>>,
    Path(rig): Path<RigId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let caller = match caller_of(&runtime, rig, &headers) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let Ok(bytes) = axum::body::to_bytes(body, FETCH_REQUEST_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match remote_of(&caller) {
        Ok(Target::Local(path)) => {
            let Some(bytes) = plain(&headers, &bytes) else { return StatusCode::BAD_REQUEST.into_response() };
            serve_local(&caller, Service::UploadPack, path, &headers, Bytes::from(bytes), stream::empty().boxed())
        }
        Ok(Target::Remote(url)) => {
            let address = below(&url, "git-upload-pack");
            let body = Some(reqwest::Body::from(bytes));
            proxy(&caller, &url, Service::UploadPack, reqwest::Method::POST, &address, &headers, body).await
        }
        Err(refusal) => *refusal,
    }
}

/// `POST /git/:rig/git-receive-pack`.
pub async fn receive_pack(
    State(runtime): State<Arc<Runtime>>,
    Path(rig): Path<RigId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let caller = match caller_of(&runtime, rig, &headers) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    if headers.contains_key(header::CONTENT_ENCODING) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let mut rest = body.into_data_stream().boxed();
    let (head, commands) = match read_commands(&mut rest).await {
        Some(read) => read,
        None => return StatusCode::BAD_REQUEST.into_response(),
    };
    let reasons = judge(&caller, &commands).await;
    if !reasons.is_empty() {
        // git reads the answer only after it has sent everything.
        while let Some(Ok(_)) = rest.next().await {}
        return git_response("application/x-git-receive-pack-result", Body::from(push::refusal(&commands, &reasons)));
    }
    let response = match remote_of(&caller) {
        Ok(Target::Local(path)) => serve_local(&caller, Service::ReceivePack, path, &headers, head, rest),
        Ok(Target::Remote(url)) => {
            let address = below(&url, "git-receive-pack");
            let body = stream::once(async move { Ok(head) }).chain(rest);
            let body = Some(reqwest::Body::wrap_stream(body));
            proxy(&caller, &url, Service::ReceivePack, reqwest::Method::POST, &address, &headers, body).await
        }
        Err(refusal) => return *refusal,
    };
    match &caller.who {
        Who::Session(session) if !commands.updates.is_empty() => verify_after(response, &caller.town, session),
        Who::Session(_) | Who::Command(_) => response,
    }
}

/// After the last byte of the answer the remote is asked for the branch; its word becomes the fact `pushed`.
fn verify_after(response: Response, town: &Arc<Town>, session: &Arc<Session>) -> Response {
    let (town, session) = (town.clone(), session.clone());
    if let Some(rig) = session.reference.rig_id.rig() {
        town.rig(rig).invalidate();
    }
    let (parts, body) = response.into_parts();
    let check = async move {
        if let Some(branch) = session.push_branch().map(str::to_owned) {
            tokio::spawn(async move {
                // A fetch that ran beside the push may have missed it.
                if let Some(rig) = session.reference.rig_id.rig() {
                    town.rig(rig).invalidate();
                }
                if let Some(commit) = result::verified(&town, &session, &branch).await {
                    result::note_pushed(&town, &session, &branch, &commit);
                }
            });
        }
        None::<Result<Bytes, axum::Error>>
    };
    let tail = stream::once(check).filter_map(|nothing| async move { nothing });
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().chain(tail)))
}

fn caller_of(runtime: &Runtime, rig: RigId, headers: &HeaderMap) -> Result<Caller, Box<Response>> {
    let grant = shown_capability(headers).and_then(|shown| runtime.capabilities.find(&shown));
    let (town, own, git_url, who) = match grant {
        Some(Grant::Session(town, session)) => {
            let (Some(own), Some(repo)) = (session.reference.rig_id.rig(), session.order.repo.clone()) else {
                return Err(Box::new((StatusCode::FORBIDDEN, "this session has no repository\n").into_response()));
            };
            (town, own, repo.git_url, Who::Session(session))
        }
        Some(Grant::Command(command)) => {
            (command.town.clone(), command.rig, command.git_url.clone(), Who::Command(command))
        }
        Some(Grant::Ended) => {
            return Err(Box::new((StatusCode::FORBIDDEN, "this assignment is over\n").into_response()));
        }
        None => {
            let ask = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"gastown\""))];
            return Err(Box::new((StatusCode::UNAUTHORIZED, ask).into_response()));
        }
    };
    if own != rig {
        return Err(Box::new((StatusCode::FORBIDDEN, "another rig's repository\n").into_response()));
    }
    Ok(Caller { town, rig, git_url, who })
}

enum Target {
    Local(PathBuf),
    Remote(Url),
}

fn remote_of(caller: &Caller) -> Result<Target, Box<Response>> {
    let unsafe_url = || {
        let code = StartFailureCode::HostNotAllowed;
        Box::new(caller.fail(StatusCode::FORBIDDEN, code, "this repository address is not allowed"))
    };
    let url = Url::parse(&caller.git_url).map_err(|_| unsafe_url())?;
    let is_local_allowed = caller.town.runtime.config.allow_local_git;
    match url.scheme() {
        "file" if is_local_allowed => url.to_file_path().map(Target::Local).map_err(|()| unsafe_url()),
        "http" if is_local_allowed => Ok(Target::Remote(url)),
        "https" => Ok(Target::Remote(url)),
        _ => Err(unsafe_url()),
    }
}

fn not_found(caller: &Caller, words: &str) -> Response {
    tracing::warn!("a local repository could not be served: {words}");
    caller.fail(StatusCode::NOT_FOUND, StartFailureCode::RepoNotFound, "the repository was not found")
}

fn serve_local(
    caller: &Caller,
    service: Service,
    path: PathBuf,
    headers: &HeaderMap,
    head: Bytes,
    rest: BoxStream<'static, Result<Bytes, axum::Error>>,
) -> Response {
    let protocol = text_header(headers, "git-protocol").filter(|_| service == Service::UploadPack);
    let request = stream::once(async move { Ok(head) }).chain(rest).boxed();
    match serve::run(service, &path, protocol.as_deref(), request) {
        Ok((mut child, output)) => {
            // The process is waited for, so that it leaves no zombie.
            let wait = async move {
                let _status = child.wait().await;
                None::<std::io::Result<Bytes>>
            };
            let tail = stream::once(wait).filter_map(|nothing| async move { nothing });
            let body = Body::from_stream(ReaderStream::new(output).chain(tail));
            git_response(&format!("application/x-{}-result", service.name()), body)
        }
        Err(error) => not_found(caller, &error.to_string()),
    }
}

async fn read_commands(rest: &mut BoxStream<'static, Result<Bytes, axum::Error>>) -> Option<(Bytes, Commands)> {
    let mut head = Vec::new();
    loop {
        match push::read_head(&head) {
            Head::Complete(commands) => return Some((Bytes::from(head), commands)),
            Head::Incomplete if head.len() < HEAD_MAX => head.extend_from_slice(&rest.next().await?.ok()?),
            Head::Incomplete | Head::Malformed => return None,
        }
    }
}

/// Reasons against each update; none lets the push through.
async fn judge(caller: &Caller, commands: &Commands) -> Vec<(String, String)> {
    let mut reasons = Vec::new();
    for update in &commands.updates {
        let reason = match &caller.who {
            Who::Command(command) if command.push.as_ref() == Some(&update.name) => None,
            Who::Command(_) => Some("this command may not push".to_owned()),
            Who::Session(session) => {
                let saving = session.is_saving().then(|| session.save_refs());
                let saving = saving.as_ref().map(<[String; 2]>::as_slice);
                match push::judge(update, session.push_branch(), saving) {
                    Some(reason) => Some(reason),
                    None => against_force(caller, session, update).await,
                }
            }
        };
        reasons.extend(reason.map(|reason| (update.name.clone(), reason)));
    }
    reasons
}

/// A branch only moves forward; the ref of saved work may be replaced.
async fn against_force(caller: &Caller, session: &Session, update: &push::RefUpdate) -> Option<String> {
    if push::is_zero(&update.old) || session.save_refs().contains(&update.name) {
        return None;
    }
    match caller.town.rig(caller.rig).is_ancestor(&update.old, &update.new).await {
        Ok(true) => None,
        Ok(false) | Err(_) => Some("not a fast-forward; fetch and merge the branch first".to_owned()),
    }
}

/// One request to the forge; a refused credential is renewed once, a body that is gone cannot be sent again.
async fn proxy(
    caller: &Caller,
    url: &Url,
    service: Service,
    method: reqwest::Method,
    address: &str,
    headers: &HeaderMap,
    body: Option<reqwest::Body>,
) -> Response {
    let operation = match service {
        Service::UploadPack => GitOperation::Fetch,
        Service::ReceivePack => GitOperation::Push,
    };
    let repeatable = body.is_none();
    let mut body = body;
    for is_last in [!repeatable, true] {
        let credential = caller.town.git_credentials(caller.rig, url, operation, caller.reference()).await;
        let credential = match credential {
            Ok(credential) => Some(credential),
            Err(error) if error.code() == Some("no_credentials") && url.scheme() == "http" => None,
            Err(error) => {
                let (code, words) = match error.code() {
                    Some("no_credentials") => (StartFailureCode::NoCredentials, "there is no credential for this host"),
                    Some("host_not_allowed") => (StartFailureCode::HostNotAllowed, "this host gets no credential"),
                    Some(_) | None => (StartFailureCode::GitFailed, "the credential could not be read"),
                };
                return caller.fail(StatusCode::BAD_GATEWAY, code, words);
            }
        };
        let mut request = caller.town.runtime.forge_http.request(method.clone(), address);
        for name in ["accept", "content-type", "content-encoding", "git-protocol"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        if let Some(credential) = credential {
            request = request.basic_auth(credential.username, Some(credential.password));
        }
        if let Some(body) = body.take() {
            request = request.body(body);
        }
        let reply = match request.send().await {
            Ok(reply) => reply,
            Err(_) => {
                return caller.fail(StatusCode::BAD_GATEWAY, StartFailureCode::GitFailed, "the forge does not answer");
            }
        };
        let is_refused = matches!(reply.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if !is_refused {
            return pass_on(caller, reply);
        }
        caller.town.forget_git_credentials(caller.rig);
        if is_last {
            break;
        }
    }
    let words = "the forge refuses access to this repository";
    caller.fail(StatusCode::FORBIDDEN, StartFailureCode::RepoForbidden, words)
}

fn pass_on(caller: &Caller, reply: reqwest::Response) -> Response {
    let status = reply.status();
    if status == StatusCode::NOT_FOUND {
        return caller.fail(status, StartFailureCode::RepoNotFound, "the repository was not found");
    }
    if status.is_redirection() {
        let words = "the repository has moved; set its new address";
        return caller.fail(StatusCode::BAD_GATEWAY, StartFailureCode::HostNotAllowed, words);
    }
    let content_type = reply.headers().get(header::CONTENT_TYPE).cloned();
    let mut response = Response::new(Body::from_stream(reply.bytes_stream()));
    *response.status_mut() = status;
    if let Some(content_type) = content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

fn git_response(content_type: &str, body: Body) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, body).into_response()
}

fn below(url: &Url, rest: &str) -> String {
    format!("{}/{rest}", url.as_str().trim_end_matches('/'))
}

fn text_header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// git compresses longer fetch requests.
fn plain(headers: &HeaderMap, bytes: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read as _;
    match text_header(headers, "content-encoding").as_deref() {
        None | Some("identity") => Some(bytes.to_vec()),
        Some("gzip" | "x-gzip") => {
            let mut out = Vec::new();
            let limited = flate2::read::GzDecoder::new(bytes).take(FETCH_REQUEST_MAX as u64 + 1).read_to_end(&mut out);
            limited.ok().filter(|_| out.len() <= FETCH_REQUEST_MAX).map(|_| out)
        }
        Some(_) => None,
    }
}

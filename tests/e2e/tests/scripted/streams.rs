//! Who may listen, and until when (api.md 2.4, 6.1): tickets, the ends of credentials, and how many streams there may be.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::{Api, text};
use serde_json::json;

use crate::credentials::{Mint, OWNER, seconds_now};
use crate::world::World;

/// Open streams of one subject in one town (api.md 1.8).
const PER_SUBJECT: usize = 24;

/// Longer than a stream may go on without a word.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// A ticket opens the one stream that it was made for, once.
pub(crate) fn tickets_are_used_once(world: &World) -> Result<()> {
    let (town, other) = (world.town(0, &json!({}))?, world.town(0, &json!({}))?);
    let ask =
        |purpose: &str| town.api.call("POST", &town.path("/tickets"), Some(&json!({"purpose": purpose}).to_string()));
    let made = ask("town_events")?;
    ensure!(made.status == 201 && made.header("cache-control") == Some("no-store"), "{made}");
    let made = made.data()?;
    let url = text(&made, "url")?;
    let url = url.strip_prefix(town.api.base_url()).with_context(|| format!("{url} is elsewhere"))?;
    let mut stream = Listener::open(&town.api, url, None)?;
    ensure!(stream.status == 200, "{}", stream.status);
    stream.until("event: hello")?;
    let nobody = town.api.with_token(None);
    let used = nobody.call("GET", url, None)?;
    ensure!(used.status == 401 && used.code() == Some("ticket_invalid"), "{used}");

    let ticket = |purpose: &str| Ok::<_, anyhow::Error>(text(&ask(purpose)?.data()?, "ticket")?.to_owned());
    for (what, ticket, path) in [
        ("another purpose", ticket("agent_stream")?, town.path("/events/stream")),
        ("another town", ticket("town_events")?, other.path("/events/stream")),
        ("no town", ticket("town_events")?, format!("/api/towns/{}/events/stream", crate::credentials::NOTHING)),
        ("a guess", "0".repeat(64), town.path("/events/stream")),
    ] {
        let reply = nobody.call("GET", &format!("{path}?ticket={ticket}"), None)?;
        ensure!(reply.status == 401 && reply.code() == Some("ticket_invalid"), "{what}: {reply}");
    }
    let reading = nobody.call("GET", &format!("{}?ticket={}", town.path("/beads"), ticket("town_events")?), None)?;
    ensure!(reading.code() == Some("unauthenticated"), "a ticket is no token: {reading}");
    let refused = ask("pty")?;
    ensure!(refused.status == 404 && refused.code() == Some("not_offered"), "{refused}");
    let refused = ask("everything")?;
    ensure!(refused.status == 400 && refused.body["issues"][0]["code"] == "invalid_enum", "{refused}");
    Ok(())
}

/// A stream ends with the token that opened it, and with the town.
pub(crate) fn streams_end(world: &World) -> Result<()> {
    let town = world.town(0, &json!({}))?;
    let path = town.path("/events/stream");
    let short = Mint(world).person(json!({"sub": OWNER, "exp": seconds_now() + 4}))?;
    let mut brief = Listener::open(&town.api, &path, Some(&short))?;
    brief.until("event: hello")?;
    brief.until("event: bye")?;
    ensure!(brief.until("data:")?.contains("unauthorized"), "the goodbye says why");
    brief.until_end()?;

    let token = Mint(world).person(json!({"sub": OWNER}))?;
    let mut lasting = Listener::open(&town.api, &path, Some(&token))?;
    lasting.until("event: hello")?;
    town.api.call("DELETE", &town.path(""), None)?.data()?;
    lasting.until_end()
}

/// One subject opens so many streams in a town and no more; another subject's are its own.
pub(crate) fn streams_are_counted(world: &World) -> Result<()> {
    let mint = Mint(world);
    let api = world.api()?;
    let (one, two) = (mint.of_org("one", "member")?, mint.of_org("two", "member")?);
    let town = api.with_token(Some(&one)).post("/api/orgs/acme/towns", &json!({"name": "Watched"}))?;
    let path = format!("/api/towns/{}/events/stream", text(&town, "id")?);
    let mut open = Vec::new();
    for _ in 0..PER_SUBJECT {
        let stream = Listener::open(&api, &path, Some(&one))?;
        ensure!(stream.status == 200, "stream {} was refused: {}", open.len(), stream.status);
        open.push(stream);
    }
    let refused = api.with_token(Some(&one)).call("GET", &path, None)?;
    ensure!(refused.status == 429 && refused.header("retry-after").is_some(), "{refused}");
    ensure!(Listener::open(&api, &path, Some(&two))?.status == 200, "another subject was counted as well");
    Ok(())
}

/// A connection that stays open.
struct Listener {
    status: u16,
    lines: BufReader<TcpStream>,
}

impl Listener {
    fn open(api: &Api, path: &str, token: Option<&str>) -> Result<Self> {
        let host = api.base_url().trim_start_matches("http://").to_owned();
        let mut socket = TcpStream::connect(&host).context("could not connect")?;
        socket.set_read_timeout(Some(SILENCE_MAX)).context("could not limit the silence")?;
        let credential = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: text/event-stream\r\n{credential}\r\n");
        socket.write_all(request.as_bytes()).context("could not ask")?;
        let mut listener = Self { status: 0, lines: BufReader::new(socket) };
        let line = listener.until("HTTP/1.1")?;
        listener.status = line.split_whitespace().nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok(listener)
    }

    /// Reads to the next line that begins like this.
    fn until(&mut self, start: &str) -> Result<String> {
        loop {
            let line = self.line()?.with_context(|| format!("the stream ended before `{start}`"))?;
            if line.starts_with(start) {
                return Ok(line);
            }
        }
    }

    fn until_end(&mut self) -> Result<()> {
        while let Some(line) = self.line()? {
            // The last chunk of a body that comes in chunks is empty.
            if line == "0" {
                return Ok(());
            }
        }
        Ok(())
    }

    fn line(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).context("the stream fell silent")?;
        Ok((read > 0).then(|| line.trim_end().to_owned()))
    }
}

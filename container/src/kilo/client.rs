//! Calls of one kilo server (container.md 5.3). Every call names the working directory and has a limit; none waits for
//! a turn. What is deliberately absent: the blocking prompt, `messageID` in a prompt, and any change of kilo's settings.

use std::collections::BTreeMap;
use std::path::Path;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::limits;
use crate::secret::Secret;

/// A kilo server and the directory its sessions work in.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    directory: String,
    password: Secret,
}

/// A call to kilo failed.
#[derive(Debug, thiserror::Error)]
pub enum KiloError {
    /// No answer.
    #[error("could not {call}")]
    Transport {
        /// What was tried.
        call: &'static str,
        /// Why.
        source: reqwest::Error,
    },
    /// A stream that never began.
    #[error("could not {call}: kilo said nothing")]
    Silent {
        /// What was tried.
        call: &'static str,
    },
    /// A refusal.
    #[error("kilo refused to {call}: status {status}")]
    Refused {
        /// What was tried.
        call: &'static str,
        /// Its answer.
        status: StatusCode,
    },
}

/// One part of a prompt; the id is found again in the session's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptPart {
    /// Id of the message it carries.
    pub message_id: String,
    /// Its text.
    pub text: String,
}

#[derive(Deserialize)]
struct SessionReply {
    id: String,
}

#[derive(Deserialize)]
struct StatusReply {
    r#type: String,
}

impl Client {
    /// A client of the server at this port.
    pub fn new(http: reqwest::Client, port: u16, directory: &Path, password: Secret) -> Self {
        let directory = directory.display().to_string();
        Self { http, base: format!("http://127.0.0.1:{port}"), directory, password }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .basic_auth("kilo", Some(self.password.reveal()))
            .query(&[("directory", &self.directory)])
    }

    async fn send(&self, call: &'static str, request: RequestBuilder) -> Result<Response, KiloError> {
        let request = request.timeout(limits::KILO_CALL);
        let reply = request.send().await.map_err(|source| KiloError::Transport { call, source })?;
        match reply.status().is_success() {
            true => Ok(reply),
            false => Err(KiloError::Refused { call, status: reply.status() }),
        }
    }

    async fn json<T: for<'de> Deserialize<'de>>(
        &self,
        call: &'static str,
        request: RequestBuilder,
    ) -> Result<T, KiloError> {
        let reply = self.send(call, request).await?;
        reply.json().await.map_err(|source| KiloError::Transport { call, source })
    }

    /// Whether the server answers with our password; an early request can hang for ever, hence the short limit.
    pub async fn is_healthy(&self, limit: std::time::Duration) -> bool {
        let request = self.request(Method::GET, "/global/health").timeout(limit);
        request.send().await.is_ok_and(|reply| reply.status().is_success())
    }

    /// Names of all tools, built in and of plugins.
    pub async fn tool_ids(&self) -> Result<Vec<String>, KiloError> {
        self.json("list tools", self.request(Method::GET, "/experimental/tool/ids")).await
    }

    /// Names of the agents.
    pub async fn agents(&self) -> Result<Vec<String>, KiloError> {
        let agents: Vec<Value> = self.json("list agents", self.request(Method::GET, "/agent")).await?;
        Ok(agents.iter().filter_map(|agent| agent["name"].as_str().map(str::to_owned)).collect())
    }

    /// Makes a session; an explicit title saves the request for one.
    pub async fn create_session(&self, title: &str) -> Result<String, KiloError> {
        let request = self.request(Method::POST, "/session").json(&json!({ "title": title }));
        Ok(self.json::<SessionReply>("make a session", request).await?.id)
    }

    /// Whether the session exists.
    pub async fn has_session(&self, session: &str) -> Result<bool, KiloError> {
        match self.send("find the session", self.request(Method::GET, &format!("/session/{session}"))).await {
            Ok(_) => Ok(true),
            Err(KiloError::Refused { status, .. }) if status.is_client_error() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Queues a prompt; `silent` adds it to the conversation without asking the model.
    pub async fn prompt(&self, session: &str, parts: &[PromptPart], silent: bool) -> Result<(), KiloError> {
        let parts: Vec<Value> = parts
            .iter()
            .map(|part| {
                let metadata = json!({ "gastown_message_id": part.message_id });
                json!({ "type": "text", "text": part.text, "metadata": metadata })
            })
            .collect();
        let mut body = json!({ "parts": parts });
        if silent {
            body["noReply"] = json!(true);
        }
        let request = self.request(Method::POST, &format!("/session/{session}/prompt_async")).json(&body);
        self.send("send a prompt", request).await.map(drop)
    }

    /// Whether a session is at rest; one that is absent from kilo's list is.
    pub async fn is_idle(&self, session: &str) -> Result<bool, KiloError> {
        let request = self.request(Method::GET, "/session/status");
        let states: BTreeMap<String, StatusReply> = self.json("read states", request).await?;
        Ok(states.get(session).is_none_or(|state| state.r#type == "idle"))
    }

    /// The newest messages, oldest first, as kilo gives them.
    pub async fn messages(&self, session: &str, count: u32) -> Result<Vec<Value>, KiloError> {
        let request = self.request(Method::GET, &format!("/session/{session}/message")).query(&[("limit", count)]);
        self.json("read messages", request).await
    }

    /// Ends the running turn with its command and its model request.
    pub async fn abort(&self, session: &str) -> Result<(), KiloError> {
        let request = self.request(Method::POST, &format!("/session/{session}/abort"));
        self.send("abort the turn", request).await.map(drop)
    }

    /// Shortens the conversation.
    pub async fn compact(&self, session: &str, model: &str) -> Result<(), KiloError> {
        let body = json!({ "providerID": "gastown", "modelID": model });
        let request = self.request(Method::POST, &format!("/session/{session}/summarize")).json(&body);
        self.send("compact the session", request).await.map(drop)
    }

    /// Answers whatever kilo asks a person: nobody is there.
    pub async fn decline(&self, asked: &super::events::Asked) -> Result<(), KiloError> {
        use super::events::AskedKind as Kind;
        let (path, body) = match asked.kind {
            Kind::Permission => (
                format!("/permission/{}/reply", asked.id),
                json!({ "reply": "reject", "message": "Not permitted for this role; go on without it." }),
            ),
            Kind::Question => (format!("/question/{}/reject", asked.id), json!({})),
            Kind::Network => (format!("/network/{}/reject", asked.id), json!({})),
            Kind::Suggestion => (format!("/suggestion/{}/dismiss", asked.id), json!({})),
        };
        self.send("decline a question", self.request(Method::POST, &path).json(&body)).await.map(drop)
    }

    /// Opens the event stream.
    pub async fn events(&self) -> Result<Response, KiloError> {
        let call = "open the event stream";
        let reply = self.request(Method::GET, "/event").send().await;
        let reply = reply.map_err(|source| KiloError::Transport { call, source })?;
        match reply.status().is_success() {
            true => Ok(reply),
            false => Err(KiloError::Refused { call, status: reply.status() }),
        }
    }
}

/// Ids of our messages that a conversation already holds.
pub fn message_ids(messages: &[Value]) -> Vec<String> {
    let parts = messages.iter().filter_map(|message| message["parts"].as_array()).flatten();
    parts.filter_map(|part| part["metadata"]["gastown_message_id"].as_str().map(str::to_owned)).collect()
}

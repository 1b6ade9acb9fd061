//! Counts what a model's answer cost (container.md 8.5): the tap reads bytes on their way to the agent, line by line,
//! and settles once, also when the answer was cut off. Pure.

use gastown_core::wire::control::{Price, Tokens};
use serde_json::Value;

/// Totals of one assignment; they only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Tokens.
    pub tokens: Tokens,
    /// Micro-dollars; absent while no price was known for some answer.
    pub cost_micro: Option<u64>,
    /// Whether an answer without a price was counted.
    pub unpriced: bool,
    /// Whether some numbers are estimates.
    pub estimated: bool,
    /// Requests that were answered.
    pub requests: u64,
    /// Prompt tokens of the newest answer: how full the context is.
    pub context: u64,
}

impl Totals {
    /// Dollars, when every answer had a price.
    pub fn cost_usd(&self) -> Option<f64> {
        match (self.unpriced, self.cost_micro) {
            (false, Some(micro)) => Some(micro as f64 / 1e6),
            (true, _) | (_, None) => None,
        }
    }

    /// Adds one answer.
    pub fn add(&mut self, usage: &Usage, price: Option<&Price>) {
        self.tokens.input += usage.tokens.input;
        self.tokens.output += usage.tokens.output;
        self.tokens.cache_read += usage.tokens.cache_read;
        self.tokens.cache_write += usage.tokens.cache_write;
        self.context = usage.tokens.input + usage.tokens.cache_read + usage.tokens.cache_write;
        self.requests += 1;
        self.estimated |= usage.estimated;
        match usage.cost_micro.or_else(|| price.map(|price| price_of(&usage.tokens, price))) {
            Some(cost) => self.cost_micro = Some(self.cost_micro.unwrap_or(0) + cost),
            None => self.unpriced = true,
        }
    }
}

/// What one answer used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens.
    pub tokens: Tokens,
    /// Micro-dollars, when the gateway names a cost.
    pub cost_micro: Option<u64>,
    /// Whether the numbers are guesses from lengths.
    pub estimated: bool,
}

fn price_of(tokens: &Tokens, price: &Price) -> u64 {
    let part = |count: u64, price: u64| count.saturating_mul(price);
    let sum = part(tokens.input, price.input)
        + part(tokens.output, price.output)
        + part(tokens.cache_read, price.cache_read)
        + part(tokens.cache_write, price.cache_write);
    sum / 1_000_000
}

/// Reads a streamed or whole answer.
pub struct Tap {
    line: Vec<u8>,
    usage: Option<Usage>,
    received_chars: u64,
    request_bytes: u64,
}

/// A line longer than this is not kept: usage chunks are short.
const LINE_MAX: usize = 4 << 20;

/// Characters that make one token, as a rule of thumb.
const CHARS_PER_TOKEN: u64 = 4;

impl Tap {
    /// A tap for the answer to a request of this size.
    pub fn new(request_bytes: u64) -> Self {
        Self { line: Vec::new(), usage: None, received_chars: 0, request_bytes }
    }

    /// Sees the next bytes of the answer.
    pub fn see(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() <= LINE_MAX {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.see_line(&line);
            }
        }
    }

    fn see_line(&mut self, line: &[u8]) {
        let data = line.strip_prefix(b"data:").unwrap_or(line);
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
        if value["usage"].is_object() {
            self.usage = Some(read_usage(&value["usage"]));
        }
        for choice in value["choices"].as_array().into_iter().flatten() {
            for side in ["delta", "message"] {
                self.received_chars += text_length(&choice[side]);
            }
        }
    }

    /// What the answer used; lengths stand in for missing numbers.
    pub fn settle(mut self) -> Usage {
        let rest = std::mem::take(&mut self.line);
        self.see_line(&rest);
        self.usage.unwrap_or(Usage {
            tokens: Tokens {
                input: self.request_bytes / CHARS_PER_TOKEN,
                output: self.received_chars / CHARS_PER_TOKEN,
                cache_read: 0,
                cache_write: 0,
            },
            cost_micro: None,
            estimated: true,
        })
    }
}

fn text_length(message: &Value) -> u64 {
    match message {
        Value::String(text) => text.chars().count() as u64,
        Value::Array(items) => items.iter().map(text_length).sum(),
        Value::Object(fields) => fields.values().map(text_length).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn read_usage(usage: &Value) -> Usage {
    let number = |at: &Value| at.as_u64().unwrap_or(0);
    let details = &usage["prompt_tokens_details"];
    let cache_read = number(&details["cached_tokens"]);
    let cache_write = number(&details["cache_write_tokens"]).max(number(&usage["cache_creation_input_tokens"]));
    Usage {
        tokens: Tokens {
            input: number(&usage["prompt_tokens"]).saturating_sub(cache_read + cache_write),
            output: number(&usage["completion_tokens"]),
            cache_read,
            cache_write,
        },
        cost_micro: usage["cost"].as_f64().map(|dollars| (dollars * 1e6).round().max(0.0) as u64),
        estimated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expected: (u64, u64, u64, Option<u64>, bool)) {
        let mut tap = Tap::new(400);
        for piece in answer.as_bytes().chunks(7) {
            tap.see(piece);
        }
        let usage = tap.settle();
        let tokens = usage.tokens;
        assert_eq!((tokens.input, tokens.output, tokens.cache_read, usage.cost_micro, usage.estimated), expected);
    }

    #[test]
    fn streamed_usage_is_read() {
        check(
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":60},\"cost\":0.0125}}\n\ndata: [DONE]\n\n",
            (40, 7, 60, Some(12_500), false),
        );
    }

    #[test]
    fn a_whole_answer_is_read() {
        check("{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}", (3, 4, 0, None, false));
    }

    #[test]
    fn a_cut_answer_is_estimated() {
        check("data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}]}\n\nda", (100, 2, 0, None, true));
    }

    #[test]
    fn prices_of_the_order_are_used_when_the_gateway_names_none() {
        let mut totals = Totals::default();
        let tokens = Tokens { input: 1_000_000, output: 500_000, cache_read: 0, cache_write: 0 };
        let price = Price { input: 3_000_000, output: 15_000_000, cache_read: 0, cache_write: 0 };
        totals.add(&Usage { tokens, cost_micro: None, estimated: false }, Some(&price));
        assert_eq!(totals.cost_usd(), Some(10.5));
        totals.add(&Usage { tokens, cost_micro: None, estimated: false }, None);
        assert_eq!(totals.cost_usd(), None);
    }
}

//! Query strings: decoded once, read by name, with the rules of lists (api.md 1.4).

use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode};

use crate::error::{Refusal, Result};

/// Longer query strings are refused (api.md 1.8).
const LENGTH_MAX: usize = 8 * 1024;
/// Items of a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 100;
/// Items of a page at most.
const LIMIT_MAX: u32 = 500;

/// A decoded query string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Paging {
    /// At most so many.
    pub limit: u32,
    /// Leaving out so many.
    pub offset: u32,
}

impl Query {
    /// Reads the query part of a URL.
    pub fn parse(url: &str) -> Result<Self> {
        let text = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
        if text.len() > LENGTH_MAX {
            return Err(Refusal::new(Code::InvalidRequest, "The query string is too long").into());
        }
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Ok(Self(pairs.collect()))
    }

    /// The value of this name; empty counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A flag: `true`, `1` or the bare name.
    pub fn flag(&self, name: &str) -> bool {
        self.0.iter().any(|(n, v)| n == name && matches!(v.as_str(), "" | "1" | "true"))
    }

    /// A flag that may also be asked for as false.
    pub fn truth(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(invalid(name, "expected true or false".to_owned()).into()),
        }
    }

    /// One value of a closed list or an id.
    pub fn one<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>> {
        self.get(name).map(|text| text.parse().map_err(|e: T::Err| invalid(name, e.to_string()).into())).transpose()
    }

    /// Several values separated by commas; none when the name is absent.
    pub fn many<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Vec<T>> {
        let texts = self.get(name).into_iter().flat_map(|list| list.split(',')).filter(|text| !text.is_empty());
        texts.map(|text| text.parse().map_err(|e: T::Err| invalid(name, e.to_string()).into())).collect()
    }

    /// Everything but the place in the list: a cursor is valid for the same path and filters only.
    pub fn filters(&self) -> String {
        let mut pairs: Vec<&(String, String)> = self
            .0
            .iter()
            .filter(|(name, _)| !["cursor", "limit", "offset", "count"].contains(&name.as_str()))
            .collect();
        gastown_core::sorted::sort_by(&mut pairs, Ord::cmp);
        pairs.iter().map(|(name, value)| format!("{name}={value}&")).collect()
    }

    /// The same, as they stand in a URL.
    pub fn encoded_filters(&self) -> String {
        encode(&self.filters())
    }

    /// `limit` and `offset`.
    pub fn paging(&self) -> Result<Paging> {
        let number = |name: &str, default: u32| -> Result<u32> {
            let Some(text) = self.get(name) else { return Ok(default) };
            let message = "limit and offset must be non-negative integers";
            text.parse::<u32>().map_err(|_| Refusal::new(Code::InvalidPaging, message).into())
        };
        Ok(Paging { limit: number("limit", LIMIT_DEFAULT)?.min(LIMIT_MAX), offset: number("offset", 0)? })
    }
}

/// A parameter that is missing, or cannot be read.
pub fn invalid(name: &str, message: String) -> Refusal {
    let issue = Issue { code: IssueCode::InvalidString, path: vec![name.to_owned()], message };
    Refusal { issues: vec![issue], ..Refusal::new(Code::InvalidRequest, format!("The query is not valid: {name}")) }
}

/// Undoes the encoding of a query: percent signs, and `+` for a space. What is not UTF-8 is replaced.
pub fn decode(text: &str) -> String {
    decode_path(&text.replace('+', " "))
}

/// Percent-encodes what must not stand in a URL as it is; names, `=` and `&` of a query stay.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'=' | b'&' | b',' | b':' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes percent-encoding.
pub fn decode_path(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = if bytes[i] == b'%' { text.get(i + 1..i + 3) } else { None };
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let query = Query::parse("http://x/y?q=a%20b+c&status=open,failed&empty=&flag#frag").unwrap();
        assert_eq!(query.get("q"), Some("a b c"));
        assert_eq!(query.get("empty"), None);
        assert!(query.flag("flag") && !query.flag("q"));
        assert_eq!(Query::parse("http://x/?q=a%20%C3%A4&limit=2").unwrap().encoded_filters(), "q=a%20%C3%A4&");
        assert_eq!(decode("%zz%e2%82%ac%"), "%zz€%");
    }

    #[test]
    fn pages_are_bounded() {
        let paging = |text: &str| Query::parse(&format!("http://x/?{text}")).unwrap().paging();
        assert_eq!(paging("").unwrap(), Paging { limit: 100, offset: 0 });
        assert_eq!(paging("limit=9999&offset=5").unwrap(), Paging { limit: 500, offset: 5 });
        for bad in ["limit=-1", "limit=x", "offset=1.5"] {
            assert!(paging(bad).is_err(), "{bad}");
        }
    }
}

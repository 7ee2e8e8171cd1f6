//! `response.http.headers.config`, in Connect's syntax: rules separated by commas, each `action name: value`, a rule whose value has a comma
//! in double quotes.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// A header of every answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHeader {
    /// Whether it takes the place of those of its name.
    replaces: bool,
    name: HeaderName,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(HeaderValue),
    /// So many milliseconds after the answer, as a date.
    Later(Duration),
}

// === impl ResponseHeader ===

impl ResponseHeader {
    /// Puts it into an answer given `now`.
    pub fn apply(&self, headers: &mut HeaderMap, now: SystemTime) {
        let value = match &self.value {
            Value::Text(value) => value.clone(),
            Value::Later(later) => {
                let Some(date) = now.checked_add(*later) else { return };
                let Ok(value) = HeaderValue::try_from(httpdate::fmt_http_date(date)) else { return };
                value
            }
        };
        if self.replaces {
            headers.insert(self.name.clone(), value);
        } else {
            headers.append(self.name.clone(), value);
        }
    }
}

/// The rules of a setting.
///
/// # Errors
///
/// What is wrong with the first one that is wrong.
pub(super) fn parse(text: &str) -> Result<Vec<ResponseHeader>, String> {
    rules(text)?.iter().enumerate().map(|(at, rule)| parse_rule(rule, at + 1)).collect()
}

/// Cuts at the commas that are not between quotes.
fn rules(text: &str) -> Result<Vec<String>, String> {
    let mut rules = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => rules.push(String::new()),
            letter => {
                if let Some(rule) = rules.last_mut() {
                    rule.push(letter);
                }
            }
        }
    }
    if quoted { Err("has a quotation mark that is not closed".to_owned()) } else { Ok(rules) }
}

fn parse_rule(rule: &str, number: usize) -> Result<ResponseHeader, String> {
    let form = || format!("its {number}. rule is not `action name: value`");
    let (action, rest) = rule.trim().split_once(char::is_whitespace).ok_or_else(form)?;
    let (name, value) = rest.split_once(':').ok_or_else(form)?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| format!("its {number}. rule names no header"))?;
    let text = || HeaderValue::try_from(value.trim()).map_err(|_| format!("its {number}. rule has no header's value"));
    // How an answer is framed is the server's to say.
    if ["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
        return Err(format!("its {number}. rule sets a header that says where an answer ends"));
    }
    let later = || {
        let ms = value.trim().parse().map_err(|_| format!("its {number}. rule needs a number of milliseconds"))?;
        Ok::<_, String>(Value::Later(Duration::from_millis(ms)))
    };
    let (replaces, value) = match action.to_ascii_lowercase().as_str() {
        "set" => (true, Value::Text(text()?)),
        "add" => (false, Value::Text(text()?)),
        "setdate" => (true, later()?),
        "adddate" => (false, later()?),
        _ => return Err(format!("its {number}. rule has another action than set, add, setDate and addDate")),
    };
    Ok(ResponseHeader { replaces, name, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
        parse(text).unwrap().iter().for_each(|header| header.apply(&mut headers, SystemTime::UNIX_EPOCH));
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn rules_as_connects_documentation_writes_them() {
        let text = r#"set X-Frame-Options: DENY, "add Cache-Control: no-cache, no-store", addDate Expires: 1000"#;
        let expected = [
            ("x-frame-options", "DENY"),
            ("cache-control", "no-cache, no-store"),
            ("expires", "Thu, 01 Jan 1970 00:00:01 GMT"),
        ];
        assert_eq!(applied(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(applied("add X-Frame-Options: DENY").len(), 2);
    }

    #[test]
    fn what_is_no_rule_is_said() {
        let bad = ["set", "set X", "put X: 1", "set X Y: 1", "setDate X: soon", "\"set X: 1", "set Content-Length: 1"];
        for text in bad {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("set A: 1, drop B: 2").unwrap_err().contains("2. rule"));
    }
}

//! Bodies with settings: JSON objects of strings, in which clients also write numbers and booleans.
//!
//! What is no JSON or has the wrong shape is answered with 500, as Connect does (its JSON library's errors are nobody's in particular); the
//! beginnings of the messages are the ones that Connect's clients and tests look for.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::plugins::Settings;

/// A body that is a flat map.
pub(super) fn parse(body: &[u8]) -> Result<Settings, ApiError> {
    flat(json(body)?, "the body")
}

/// A body that is JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, ApiError> {
    // Some editors put a byte order mark there, which is no JSON.
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed(
            "Cannot construct instance of the request: the body is empty, a JSON object is expected",
        ));
    }
    serde_json::from_slice(body).map_err(|error| malformed(format!("the body is not valid JSON: {error}")))
}

/// An object that has no other fields than these.
pub(super) fn object(value: Value, known: &[&str]) -> Result<Map<String, Value>, ApiError> {
    let Value::Object(fields) = value else { return Err(mismatch("the body", "an object", &value)) };
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(malformed(format!("Unrecognized field \"{field}\"; known are {}", known.join(", ")))),
        None => Ok(fields),
    }
}

/// The settings in a JSON object; `what` it is, for messages.
pub(super) fn flat(value: Value, what: &str) -> Result<Settings, ApiError> {
    let Value::Object(fields) = value else { return Err(mismatch(what, "an object", &value)) };
    fields.into_iter().map(|(key, value)| Ok((key.clone(), text(value, &key)?))).collect()
}

/// A string, or what Connect makes one of; `what` it is, for messages.
pub(super) fn text(value: Value, what: &str) -> Result<Option<String>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Array(_) | Value::Object(_) => Err(mismatch(what, "a string", &value)),
    }
}

/// What can't be read: 500, as in Connect.
pub(super) fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}

fn mismatch(what: &str, wanted: &str, value: &Value) -> ApiError {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        // Connect's library has other words for a string in the place of an object.
        Value::String(_) => {
            return malformed(format!("Cannot construct instance of {what} from a string: {wanted} is expected"));
        }
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    malformed(format!("Cannot deserialize value of {what} from {kind}: {wanted} is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_become_strings_and_null_stays() {
        let body = br#"{"a": "x", "b": 1, "c": -2.5, "d": true, "e": null, "a": "last"}"#;
        let map = parse(&[&b"\xEF\xBB\xBF"[..], body].concat()).unwrap();
        let expected = [("a", Some("last")), ("b", Some("1")), ("c", Some("-2.5")), ("d", Some("true")), ("e", None)];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        assert_eq!(map, expected.into());
    }

    #[test]
    fn what_is_no_flat_map_is_told_in_the_words_that_are_looked_for() {
        let told = |body: &str| format!("{:?}", parse(body.as_bytes()).unwrap_err());
        for (body, words) in [
            ("", "Cannot construct instance"),
            ("{", "not valid JSON"),
            ("{} x", "not valid JSON"),
            ("[]", "Cannot deserialize value"),
            ("null", "Cannot deserialize value"),
            ("\"x\"", "Cannot construct instance"),
            (r#"{"a": {"b": 1}}"#, "Cannot deserialize value of a from an object"),
            (r#"{"a": [1]}"#, "Cannot deserialize value of a from an array"),
        ] {
            assert!(told(body).contains(words) && told(body).contains("500"), "{body}: {}", told(body));
        }
        let foreign = object(json(br#"{"name": "a", "foo": 1}"#).unwrap(), &["name", "config"]);
        assert!(format!("{foreign:?}").contains("Unrecognized field \\\"foo\\\""), "{foreign:?}");
    }
}

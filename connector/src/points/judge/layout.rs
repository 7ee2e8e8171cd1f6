//! A line's parts as the servers of InfluxDB 1 and 2 divide it (influxdata/influxdb, models/points.go), and words for
//! what is wrong with it: the parser of the crate says "No fields were provided" for any bad value.

use influxdb_line_protocol::parse_lines;

use super::LineError;

/// The most of a name or a value that an error repeats, in bytes.
const MAX_SHOWN: usize = 64;

/// A line's parts, as they are written.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    /// Bytes of measurement and tags.
    pub(super) series_len: usize,
    pub(super) num_tags: usize,
    pub(super) fields: Vec<Field<'a>>,
    /// What follows the fields, without blanks around it: nothing or a timestamp.
    rest: &'a str,
}

/// A field as it is written.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) key: &'a str,
    value: &'a str,
}

impl<'a> Layout<'a> {
    /// Divides `text`, which has no newline, no blanks around it and no backslash at its end.
    ///
    /// # Errors
    /// A part is missing, or 1.x and 2.x would divide it in a different way than the parser.
    pub(super) fn of(text: &'a str) -> Result<Self, LineError> {
        let mut walk = Walk { text, at: 0 };
        let measurement = walk.name(b", ")?;
        if measurement.is_empty() {
            return Err(malformed("the measurement is missing".to_owned()));
        }
        let mut num_tags = 0;
        while walk.skip(b',') {
            walk.tag()?;
            num_tags += 1;
        }
        let series_len = walk.at;
        while walk.skip(b' ') {}
        let mut fields = vec![walk.field()?];
        while walk.skip(b',') {
            // The parser overlooks it if nothing or a timestamp follows; 1.x and 2.x don't.
            if matches!(walk.peek(), None | Some(b' ')) {
                return Err(LineError::DanglingComma { at: walk.at - 1 });
            }
            fields.push(walk.field()?);
        }
        Ok(Self { series_len, num_tags, fields, rest: text[walk.at..].trim_matches(' ') })
    }

    /// What the parser may have stumbled over, if it is one of these: a field's value, the timestamp.
    pub(super) fn blame(&self) -> Option<LineError> {
        for Field { key, value } in &self.fields {
            if !matches!(parse_lines(&format!("m f={value}")).next(), Some(Ok(_))) {
                return Some(malformed(format!(
                    "field {:?} has the value {:?}; a value is a finite number, an integer of 64 bits followed by i or \
                     u, a boolean, or a string in double quotes",
                    shown(key),
                    shown(value)
                )));
            }
        }
        let is_timestamp = self.rest.is_empty() || self.rest.parse::<i64>().is_ok();
        (!is_timestamp).then(|| {
            malformed(format!("the timestamp {:?} is not a whole number of nanoseconds in 64 bits", shown(self.rest)))
        })
    }
}

/// A way through a line.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// The text up to one of `stops` (ASCII) that no backslash escapes, or to the end.
    fn name(&mut self, stops: &[u8]) -> Result<&'a str, LineError> {
        let start = self.at;
        let mut escaped = false;
        while let Some(byte) = self.peek() {
            if byte.is_ascii_control() {
                return Err(LineError::Control { byte, at: self.at });
            }
            if !escaped && stops.contains(&byte) {
                break;
            }
            escaped = !escaped && byte == b'\\';
            self.at += 1;
        }
        Ok(&self.text[start..self.at])
    }

    /// The key of a `what` (tag or field), and the `=` behind it.
    fn key(&mut self, what: &str) -> Result<&'a str, LineError> {
        let start = self.at;
        let key = self.name(b"=, ")?;
        match self.peek() {
            Some(b',') => {
                self.name(b"= ")?;
                Err(LineError::BareComma { key: shown(&self.text[start..self.at]) })
            }
            _ if key.is_empty() => Err(malformed(format!("the key of a {what} is missing at byte {start}"))),
            Some(b'=') => {
                self.at += 1;
                Ok(key)
            }
            _ => Err(malformed(format!("{what} {:?} has no '=' and no value", shown(key)))),
        }
    }

    fn tag(&mut self) -> Result<(), LineError> {
        let key = self.key("tag")?;
        let value = self.name(b"=, ")?;
        if self.peek() == Some(b'=') {
            return Err(LineError::BareEquals { key: shown(key) });
        }
        if value.is_empty() {
            return Err(malformed(format!("tag {:?} has no value: leave the tag out", shown(key))));
        }
        Ok(())
    }

    fn field(&mut self) -> Result<Field<'a>, LineError> {
        if self.peek().is_none() {
            return Err(malformed("no field: a blank and field=value are missing".to_owned()));
        }
        let key = self.key("field")?;
        let start = self.at;
        if self.skip(b'"') {
            self.string(key)?;
        } else {
            self.at += self.text[start..].find([',', ' ']).unwrap_or(self.text.len() - start);
        }
        match self.peek() {
            None | Some(b',' | b' ') => Ok(Field { key, value: &self.text[start..self.at] }),
            Some(_) => Err(malformed(format!("text follows the closing quote of field {:?}", shown(key)))),
        }
    }

    /// The rest of a string whose opening quote is passed.
    fn string(&mut self, key: &str) -> Result<(), LineError> {
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        Err(malformed(format!("the string of field {:?} has no closing quote", shown(key))))
    }
}

fn malformed(reason: String) -> LineError {
    LineError::Malformed { reason }
}

/// A name or a value for an error: not too long.
pub(super) fn shown(text: &str) -> String {
    cut(text, MAX_SHOWN)
}

/// `text`, or its beginning if it has more than `max` bytes.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(max)])
}

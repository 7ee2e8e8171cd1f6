//! The model's InfluxDB: knows which lines are bad, and answers as one of the products does, in their words.

use fastrand::Rng;

use super::world::{LineId, World};
use crate::config::Product;
use crate::sink::verdict::{Answer, Failure, Verdict, judge, judge_failure};

/// Random breaks of the connection in one body: fewer than condemn a line, so that a line is condemned only if it is at fault.
pub(super) const BREAKS_MAX: u32 = 7;

/// How it tells of bad lines.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// InfluxDB 3: stores the rest, names each by number.
    Numbers,
    /// The same, but only the beginning of the answer is read: the list ends after the first.
    NumbersCut,
    /// InfluxDB 1: stores the rest, quotes each.
    Quotes,
    /// InfluxDB 1: stores the rest, names none.
    Silent,
    /// InfluxDB 2: stores nothing, quotes each.
    WholeQuotes,
    /// QuestDB: stores nothing, names the first.
    WholeFirst,
    /// Stores nothing, says nothing.
    WholeSilent,
}

#[derive(Debug)]
pub(super) struct Influx {
    manner: Manner,
    /// The largest request that it takes.
    limit: usize,
    /// Whether it still breaks the connection over some lines.
    breaks: bool,
}

impl Manner {
    fn stores_rest(self) -> bool {
        matches!(self, Self::Numbers | Self::NumbersCut | Self::Quotes | Self::Silent)
    }
}

impl Influx {
    pub(super) fn new(rng: &mut Rng, sizes: bool) -> Self {
        let manners = [
            Manner::Numbers,
            Manner::NumbersCut,
            Manner::Quotes,
            Manner::Silent,
            Manner::WholeQuotes,
            Manner::WholeFirst,
            Manner::WholeSilent,
        ];
        let limit = if sizes { rng.usize(60..250) } else { usize::MAX };
        Self { manner: manners[rng.usize(..manners.len())], limit, breaks: true }
    }

    /// From now on it stores what broke it.
    pub(super) fn mend(&mut self) {
        self.breaks = false;
    }

    /// Takes a request as a server in its right mind does.
    pub(super) fn write(&self, world: &mut World, body: &[u8]) -> Verdict {
        if body.len() > self.limit {
            return judged(413, "too large".to_owned());
        }
        let lines: Vec<&[u8]> = lines(body).collect();
        if self.breaks && lines.iter().any(|line| line[0] == b'k') {
            return judge_failure(Failure::Interrupted, "the connection broke".to_owned());
        }
        let bad: Vec<usize> = (0..lines.len()).filter(|&line| lines[line][0] == b'r').collect();
        let stores = bad.is_empty() || self.manner.stores_rest();
        for line in lines.iter().filter(|line| stores && line[0] != b'r') {
            world.store(parse(line));
        }
        if bad.is_empty() { judged(204, String::new()) } else { self.refuse(&lines, &bad) }
    }

    fn refuse(&self, lines: &[&[u8]], bad: &[usize]) -> Verdict {
        let text = |line: &usize| String::from_utf8_lossy(lines[*line]).into_owned();
        let quoted = |between| {
            bad.iter().map(|line| format!("unable to parse '{}': bad", text(line))).collect::<Vec<_>>().join(between)
        };
        judged(
            400,
            match self.manner {
                Manner::Numbers | Manner::NumbersCut => {
                    let entry = |line: &usize| {
                        format!(r#"{{"original_line":"r","line_number":{},"error_message":"bad"}}"#, line + 1)
                    };
                    let entries: Vec<String> = bad.iter().map(entry).collect();
                    let list = match self.manner {
                        Manner::NumbersCut if bad.len() > 1 => format!(r#"{},{{"original_li"#, entries[0]),
                        _ => format!("{}]}}", entries.join(",")),
                    };
                    format!(r#"{{"error":"partial write of line protocol occurred","data":[{list}"#)
                }
                Manner::Quotes => format!(r#"{{"error":"partial write: {} dropped=0"}}"#, quoted("\\n")),
                Manner::Silent => r#"{"error":"partial write: field type conflict dropped=1"}"#.to_owned(),
                Manner::WholeQuotes => format!(r#"{{"code":"invalid","message":"{}"}}"#, quoted("\\n")),
                Manner::WholeFirst => format!(r#"{{"code":"invalid","message":"bad","line":{}}}"#, bad[0] + 1),
                Manner::WholeSilent => "bad".to_owned(),
            },
        )
    }

    /// Takes a request on a bad day. `breaks` counts the connections that broke by chance.
    pub(super) fn write_badly(&self, world: &mut World, body: &[u8], rng: &mut Rng, breaks: &mut u32) -> Verdict {
        match rng.u8(..20) {
            0 => judged(503, "busy".to_owned()),
            1 => judged(401, "who are you".to_owned()),
            2 => judged(200, "<html>".to_owned()),
            3 => {
                self.write(world, body);
                judge_failure(Failure::Timeout, "no answer in time".to_owned())
            }
            4 => judge_failure(Failure::Connect, "refused".to_owned()),
            5 if *breaks < BREAKS_MAX => {
                *breaks += 1;
                if rng.bool() {
                    self.write(world, body);
                }
                judge_failure(Failure::Interrupted, "the connection broke".to_owned())
            }
            _ => self.write(world, body),
        }
    }
}

fn judged(status: u16, body: String) -> Verdict {
    judge(Product::V1, &Answer { status, body: body.into(), ..Answer::default() })
}

/// A line of the model: `g,p=0 o=10051` and whatever follows; the number is the offset four times, and the line's.
pub(super) fn line(mark: char, (partition, offset, line): LineId, padding: usize) -> String {
    let padding: String = (0..padding).map(|field| format!(",f{field}=1")).collect();
    format!("{mark},p={partition} o={}{padding}", 10_000 + 4 * offset + i64::from(line))
}

/// The lines of a body. Not `split`, which without optimisation looks at each byte through a closure.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', body).map(move |end| &body[std::mem::replace(&mut start, end + 1)..end])
}

pub(super) fn parse(line: &[u8]) -> LineId {
    let number = line[8..13].iter().fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0')) - 10_000;
    (usize::from(line[4] - b'0'), number / 4, (number % 4) as u8)
}

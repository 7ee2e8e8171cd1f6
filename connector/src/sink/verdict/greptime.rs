//! GreptimeDB answers with a status of its own, as a number in the body (`src/common/error/src/status_code.rs` there). It tells apart
//! what the HTTP status does not: 400 stands for lines that can't be parsed and for a database that is missing, 401 for a wrong password
//! and for a region that moves, and some versions answer 200 for a request that was cancelled.

use super::message::Message;
use super::{Answer, Verdict, configuration, words};

const SUCCESS: u64 = 0;
const UNSUPPORTED: u64 = 1001;
const INVALID_ARGUMENTS: u64 = 1004;
const INVALID_SYNTAX: u64 = 2000;
const TABLE_NOT_FOUND: u64 = 4001;
const COLUMN_NOT_FOUND: u64 = 4002;
const DATABASE_NOT_FOUND: u64 = 4004;
const REGION_READONLY: u64 = 4007;

/// The verdict on an answer with status `code`.
pub(super) fn judge(code: u64, answer: &Answer, message: &Message) -> Verdict {
    let status = answer.status;
    match code {
        SUCCESS if (200..300).contains(&status) => Verdict::Done,
        _ if status == 413 => Verdict::TooLarge { reason: words(status, message) },
        // The lines: what can't be parsed, or has another type than its column.
        INVALID_ARGUMENTS | INVALID_SYNTAX | COLUMN_NOT_FOUND => {
            Verdict::RejectedWhole { reason: words(status, message) }
        }
        UNSUPPORTED => configuration(status, message, "the server does not take such writes: check influx.url"),
        TABLE_NOT_FOUND => configuration(status, message, "create the table, or let the server create tables"),
        DATABASE_NOT_FOUND => configuration(status, message, "create the database or correct influx.database"),
        // In spite of its 401: the region is being moved.
        REGION_READONLY => transient(answer, message),
        7000..8000 if status == 403 => {
            configuration(status, message, "give the user the right to write to the database")
        }
        7000..8000 => configuration(status, message, "check influx.username and influx.password, or influx.token"),
        // Busy, moving, out of order, cancelled, changed by another at the same time, or of a later version.
        _ => transient(answer, message),
    }
}

/// A line may be the cause where the server does not know what to say (unknown, unexpected, internal, a plan or an execution that failed).
fn transient(answer: &Answer, message: &Message) -> Verdict {
    let suspicious = matches!(message.greptime, Some(1000 | 1002 | 1003 | 3000 | 3001));
    Verdict::Transient { reason: words(answer.status, message), retry_after: answer.retry_after, suspicious }
}

// Prices from values `symbol,price`, in JavaScript: `BTC-USD,19890.1212` becomes `prices,symbol=BTC-USD price=19890.1212`.
//
// The two exports are those of wit/transform.wit: a batch comes and goes as columns, which are typed arrays here. There are no settings.
// Nothing is escaped, so a symbol with anything but letters, digits, `-`, `.` and `_` is rejected, and a price that is no decimal number.

const VALUE = /^([A-Za-z0-9._-]+),(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)$/;

// Characters of a value that a reason shows.
const SHOWN_MAX = 64;

export function configure(settings) {
    if (settings.length > 0) {
        // What is thrown is the error of the function's result.
        throw "this transform has no settings: remove transform.config.*";
    }
    // No optional column is wanted.
    return { keys: false, headers: false, timestamps: false, offsets: false };
}

export function transform(batch) {
    const { column, nulls } = batch.values;
    // A tombstone is in neither list, so it is filtered.
    const tombstones = new Set(nulls);
    const lines = [], records = [], reasons = [], rejected = [];
    let start = 0;
    column.ends.forEach((end, record) => {
        const value = text(column.bytes, start, end);
        start = end;
        if (tombstones.has(record)) return;
        const parts = VALUE.exec(value);
        if (parts) {
            lines.push(`prices,symbol=${parts[1]} price=${parts[2]}`);
            records.push(record);
        } else {
            reasons.push(`value is not SYMBOL,PRICE: ${value.slice(0, SHOWN_MAX).replace(/[^ -~]/g, "?")}`);
            rejected.push(record);
        }
    });
    return {
        lines: columnOf(lines),
        records: Uint32Array.from(records),
        rejects: { records: Uint32Array.from(rejected), reasons: columnOf(reasons) },
    };
}

// A character for each byte: what is no ASCII matches nothing, so that no decoder is needed.
function text(bytes, start, end) {
    let text = "";
    for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
    return text;
}

// Strings of ASCII as a column.
function columnOf(strings) {
    const bytes = new Uint8Array(strings.reduce((length, string) => length + string.length, 0));
    const ends = new Uint32Array(strings.length);
    let at = 0;
    strings.forEach((string, index) => {
        for (let character = 0; character < string.length; character++) bytes[at++] = string.charCodeAt(character);
        ends[index] = at;
    });
    return { bytes, ends };
}

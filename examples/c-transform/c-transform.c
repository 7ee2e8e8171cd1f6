// Prices from values `symbol,price`, in C and without an SDK: `BTC-USD,19890.1212` becomes `prices,symbol=BTC-USD price=19890.1212`.
//
// What stands here is the contract of wit/transform.wit as `wit-bindgen c` puts it into C: columns in, columns out. It has no settings.
// Nothing is escaped, so a symbol with anything but letters, digits, `-`, `.` and `_` is rejected, and a price that is no decimal number.

#include <stdlib.h>
#include <string.h>

#include "transform.h"

typedef sluice_transform_types_column_t column_t;

static const char HEAD[] = "prices,symbol=", MIDDLE[] = " price=", REASON[] = "value is not SYMBOL,PRICE: ";

// Bytes of a value that a reason shows.
enum { SHOWN_MAX = 64 };

// Memory for at least one byte. The host takes the place of an instance that traps, so that is how a lack of memory ends.
static void *allocate(size_t size) {
    void *memory = malloc(size + 1);
    if (memory == NULL) abort();
    return memory;
}

// The bindings free what is returned, if its length is not 0; what is returned empty is leaked otherwise.
static void release_if_empty(void *memory, size_t len) {
    if (len == 0) free(memory);
}

static void append(column_t *column, const void *bytes, size_t len) {
    memcpy(column->bytes.ptr + column->bytes.len, bytes, len);
    column->bytes.len += len;
}

// Ends the string that was appended last.
static void end(column_t *column) { column->ends.ptr[column->ends.len++] = (uint32_t)column->bytes.len; }

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static bool is_symbol(uint8_t byte) {
    uint8_t letter = byte | 0x20;
    return (letter >= 'a' && letter <= 'z') || is_digit(byte) || byte == '-' || byte == '.' || byte == '_';
}

static size_t digits(const uint8_t *text, size_t len) {
    size_t count = 0;
    while (count < len && is_digit(text[count])) count++;
    return count;
}

// `-`? digits (`.` digits)? (`e` sign? digits)?, what every InfluxDB reads as a float.
static bool is_decimal(const uint8_t *text, size_t len) {
    size_t at = len > 0 && text[0] == '-', count = digits(text + at, len - at);
    if (count == 0) return false;
    at += count;
    if (at < len && text[at] == '.') {
        count = digits(text + at + 1, len - at - 1);
        if (count == 0) return false;
        at += 1 + count;
    }
    if (at < len && (text[at] | 0x20) == 'e') {
        at++;
        if (at < len && (text[at] == '-' || text[at] == '+')) at++;
        count = digits(text + at, len - at);
        if (count == 0) return false;
        at += count;
    }
    return at == len;
}

// Appends the line of a value, or nothing if it has none.
static bool append_line(column_t *lines, const uint8_t *value, size_t len) {
    size_t comma = 0;
    while (comma < len && is_symbol(value[comma])) comma++;
    if (comma == 0 || comma == len || value[comma] != ',') return false;
    const uint8_t *price = value + comma + 1;
    size_t price_len = len - comma - 1;
    if (!is_decimal(price, price_len)) return false;
    append(lines, HEAD, sizeof HEAD - 1);
    append(lines, value, comma);
    append(lines, MIDDLE, sizeof MIDDLE - 1);
    append(lines, price, price_len);
    end(lines);
    return true;
}

// A reason has to be UTF-8, and a value may be anything.
static void append_reason(column_t *reasons, const uint8_t *value, size_t len) {
    append(reasons, REASON, sizeof REASON - 1);
    for (size_t at = 0; at < len && at < SHOWN_MAX; at++) {
        uint8_t byte = value[at] >= ' ' && value[at] < 0x7f ? value[at] : '?';
        append(reasons, &byte, 1);
    }
    end(reasons);
}

bool exports_transform_configure(transform_list_setting_t *settings, transform_inputs_t *inputs, transform_string_t *error) {
    // No optional column is wanted.
    *inputs = (transform_inputs_t){0};
    bool good = settings->len == 0;
    if (!good) transform_string_dup(error, "this transform has no settings: remove transform.config.*");
    transform_list_setting_free(settings);
    return good;
}

void exports_transform_transform(transform_batch_t *batch, transform_output_t *output) {
    const column_t *values = &batch->values.column;
    const transform_list_u32_t *nulls = &batch->values.nulls;
    size_t count = values->ends.len;
    column_t lines = {{allocate(values->bytes.len + count * (sizeof HEAD + sizeof MIDDLE)), 0}, {allocate(count * 4), 0}};
    column_t reasons = {{allocate(count * (sizeof REASON + SHOWN_MAX)), 0}, {allocate(count * 4), 0}};
    transform_list_u32_t written = {allocate(count * 4), 0}, rejected = {allocate(count * 4), 0};

    size_t start = 0, null = 0;
    for (uint32_t record = 0; record < count; record++) {
        const uint8_t *value = values->bytes.ptr + start;
        size_t len = values->ends.ptr[record] - start;
        start = values->ends.ptr[record];
        if (null < nulls->len && nulls->ptr[null] == record) {
            // A tombstone: neither line nor reject, so it is filtered.
            null++;
        } else if (append_line(&lines, value, len)) {
            written.ptr[written.len++] = record;
        } else {
            append_reason(&reasons, value, len);
            rejected.ptr[rejected.len++] = record;
        }
    }
    release_if_empty(lines.bytes.ptr, lines.bytes.len);
    release_if_empty(lines.ends.ptr, lines.ends.len);
    release_if_empty(written.ptr, written.len);
    release_if_empty(reasons.bytes.ptr, reasons.bytes.len);
    release_if_empty(reasons.ends.ptr, reasons.ends.len);
    release_if_empty(rejected.ptr, rejected.len);
    *output = (transform_output_t){lines, written, {rejected, reasons}};
    transform_batch_free(batch);
}

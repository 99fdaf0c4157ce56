// JSON text (RFC 8259) in one pass: checked whole, one value looked for.

#include "internal.h"
#include <towpath/json.h>

enum { DEPTH = 127 };

typedef struct {
    const uint8_t *at, *end;
    bool found;
    towpath_bytes value;
} scanner;

/// `path`: the rest of it; null where it does not lead here.
static bool value(scanner *in, towpath_bytes path, int depth);

static void spaces(scanner *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) {
        in->at++;
    }
}

static bool take(scanner *in, uint8_t byte) {
    bool is = in->at < in->end && *in->at == byte;
    in->at += is;
    return is;
}

static bool word(scanner *in, const char *word) {
    size_t len = strlen(word);
    bool is = (size_t)(in->end - in->at) >= len && memcmp(in->at, word, len) == 0;
    in->at += is ? len : 0;
    return is;
}

static bool digits(scanner *in) {
    const uint8_t *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        in->at++;
    }
    return in->at > start;
}

static bool number(scanner *in) {
    take(in, '-');
    if (!take(in, '0') && !digits(in)) {
        return false;
    }
    if (take(in, '.') && !digits(in)) {
        return false;
    }
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+')) {
            take(in, '-');
        }
        return digits(in);
    }
    return true;
}

/// Four hexadecimal digits; -1: they are none.
static int32_t hex(scanner *in) {
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t byte = in->at < in->end ? *in->at++ : 0;
        int32_t digit = byte >= '0' && byte <= '9'   ? byte - '0'
                        : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                        : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                     : -1;
        if (digit < 0) {
            return -1;
        }
        code = code * 16 + digit;
    }
    return code;
}

/// The length of the UTF-8 sequence here; 0: there is none (RFC 3629).
static size_t sequence(const uint8_t *at, size_t room) {
    uint8_t first = at[0];
    size_t len = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    if (len == 0 || len > room) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool outside = (first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] >= 0xa0) ||
                   (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] >= 0x90);
    return outside ? 0 : len;
}

static size_t encode(uint32_t code, uint8_t *to) {
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (uint8_t)(0xc0 | code >> 6);
        to[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (uint8_t)(0xe0 | code >> 12);
        to[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        to[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | code >> 18);
    to[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    to[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    to[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

static size_t escape(scanner *in, uint8_t *to) {
    static const char ESCAPES[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = in->at < in->end ? *in->at++ : 0;
    if (byte == 'u') {
        int32_t code = hex(in);
        if (code < 0) {
            return 0;
        }
        const uint8_t *behind = in->at;
        if (code >= 0xd800 && code < 0xdc00 && word(in, "\\u")) {
            int32_t low = hex(in);
            if (low < 0) {
                return 0;
            }
            if (low >= 0xdc00 && low < 0xe000) {
                return encode(0x10000 + ((uint32_t)(code - 0xd800) << 10) + (uint32_t)(low - 0xdc00), to);
            }
            in->at = behind;
        }
        return encode((uint32_t)code, to);
    }
    const char *known = byte == 0 ? NULL : memchr(ESCAPES, byte, sizeof ESCAPES - 1);
    if (known == NULL) {
        return 0;
    }
    to[0] = (uint8_t)MEANT[known - ESCAPES];
    return 1;
}

/// A string, behind its first quote; says whether it is `name`, which may be null.
static bool string(scanner *in, towpath_bytes name, bool *is) {
    size_t matched = 0;
    bool same = !towpath_is_null(name);
    while (in->at < in->end && *in->at != '"') {
        uint8_t decoded[4];
        const uint8_t *from = in->at;
        size_t len;
        if (*in->at == '\\') {
            in->at++;
            len = escape(in, decoded);
            from = decoded;
        } else {
            len = *in->at < 0x20 ? 0 : sequence(in->at, (size_t)(in->end - in->at));
            in->at += len;
        }
        if (len == 0) {
            return false;
        }
        same = same && name.len - matched >= len && memcmp(name.data + matched, from, len) == 0;
        matched += same ? len : 0;
    }
    *is = same && matched == name.len;
    return take(in, '"');
}

/// The first name of a path, and what follows it; null: nothing does.
static towpath_bytes first(towpath_bytes path, towpath_bytes *rest) {
    const uint8_t *dot = towpath_is_null(path) ? NULL : memchr(path.data, '.', path.len);
    *rest = TOWPATH_NULL;
    if (dot == NULL) {
        return path;
    }
    size_t len = (size_t)(dot - path.data);
    *rest = (towpath_bytes){dot + 1, path.len - len - 1};
    return (towpath_bytes){path.data, len};
}

static bool object(scanner *in, towpath_bytes path, int depth) {
    towpath_bytes rest, name = first(path, &rest);
    spaces(in);
    if (take(in, '}')) {
        return true;
    }
    do {
        bool is;
        spaces(in);
        if (!take(in, '"') || !string(in, name, &is)) {
            return false;
        }
        spaces(in);
        if (!take(in, ':')) {
            return false;
        }
        spaces(in);
        const uint8_t *start = in->at;
        bool last = is && towpath_is_null(rest);
        if (!value(in, is ? rest : TOWPATH_NULL, depth)) {
            return false;
        }
        if (last) {
            in->found = true;
            in->value = (towpath_bytes){start, (size_t)(in->at - start)};
        }
        spaces(in);
    } while (take(in, ','));
    return take(in, '}');
}

static bool array(scanner *in, int depth) {
    spaces(in);
    if (take(in, ']')) {
        return true;
    }
    do {
        spaces(in);
        if (!value(in, TOWPATH_NULL, depth)) {
            return false;
        }
        spaces(in);
    } while (take(in, ','));
    return take(in, ']');
}

static bool value(scanner *in, towpath_bytes path, int depth) {
    bool is;
    if (take(in, '{')) {
        return depth < DEPTH && object(in, path, depth + 1);
    }
    if (take(in, '[')) {
        return depth < DEPTH && array(in, depth + 1);
    }
    if (take(in, '"')) {
        return string(in, TOWPATH_NULL, &is);
    }
    return word(in, "true") || word(in, "false") || word(in, "null") || number(in);
}

towpath_json towpath_json_find(towpath_bytes json, towpath_bytes path, towpath_bytes *found) {
    if (towpath_is_null(json)) {
        return TOWPATH_JSON_INVALID;
    }
    scanner in = {.at = json.data, .end = json.data + json.len};
    spaces(&in);
    if (!value(&in, path, 0)) {
        return TOWPATH_JSON_INVALID;
    }
    spaces(&in);
    if (in.at != in.end) {
        return TOWPATH_JSON_INVALID;
    }
    if (found != NULL && in.found) {
        *found = in.value;
    }
    return in.found ? TOWPATH_JSON_FOUND : TOWPATH_JSON_MISSING;
}

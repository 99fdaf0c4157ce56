// Bytes, texts and memory that lasts for a call.

#include "internal.h"

typedef struct piece {
    struct piece *next;
    uint64_t aligned[];
} piece;

static piece *pieces;

void *towpath_scratch(size_t size) {
    if (size > SIZE_MAX / 2) {
        abort();
    }
    piece *one = malloc(sizeof(piece) + size);
    one->next = pieces;
    pieces = one;
    return one->aligned;
}

void towpath_end_call(void) {
    while (pieces != NULL) {
        piece *one = pieces;
        pieces = one->next;
        free(one);
    }
}

uint8_t *towpath_copy(towpath_bytes bytes) {
    return bytes.len == 0 ? NULL : memcpy(malloc(bytes.len), bytes.data, bytes.len);
}

void *towpath_grow(void *items, size_t len, size_t *capacity, size_t size) {
    if (len < *capacity) {
        return items;
    }
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    size_t whole;
    if (__builtin_mul_overflow(*capacity, size, &whole)) {
        abort();
    }
    return realloc(items, whole);
}

bool towpath_equal(towpath_bytes one, towpath_bytes other) {
    if (towpath_is_null(one) || towpath_is_null(other)) {
        return towpath_is_null(one) && towpath_is_null(other);
    }
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

towpath_bytes towpath_without_prefix(towpath_bytes bytes, towpath_bytes prefix) {
    if (towpath_is_null(bytes) || bytes.len < prefix.len || memcmp(bytes.data, prefix.data, prefix.len) != 0) {
        return TOWPATH_NULL;
    }
    return (towpath_bytes){bytes.data + prefix.len, bytes.len - prefix.len};
}

towpath_bytes towpath_join_parts(const towpath_bytes *parts, size_t count) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    uint8_t *whole = towpath_scratch(len), *end = whole;
    for (size_t i = 0; i < count; i++) {
        end = memcpy(end, parts[i].data, parts[i].len), end += parts[i].len;
    }
    return (towpath_bytes){whole, len};
}

towpath_bytes towpath_decimal(int64_t number) {
    enum { LONGEST = 20 };
    uint8_t *text = towpath_scratch(LONGEST);
    size_t start = LONGEST;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        text[--start] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0) {
        text[--start] = '-';
    }
    return (towpath_bytes){text + start, LONGEST - start};
}

bool towpath_parse(towpath_bytes text, int64_t *number) {
    const uint8_t *at = text.data, *end = at + text.len;
    while (at < end && *at == ' ') {
        at++;
    }
    while (at < end && end[-1] == ' ') {
        end--;
    }
    bool negative = at < end && *at == '-';
    at += negative || (at < end && *at == '+');
    if (at == end) {
        return false;
    }
    int64_t parsed = 0;
    for (; at < end; at++) {
        int64_t digit = *at - '0';
        // Not by __builtin_mul_overflow: of 64 bits, it needs a library.
        if (digit < 0 || digit > 9 || parsed < INT64_MIN / 10 ||
            __builtin_sub_overflow(parsed * 10, digit, &parsed)) {
            return false;
        }
    }
    // Gathered below 0, where there is room for one number more.
    if (!negative && parsed == INT64_MIN) {
        return false;
    }
    *number = negative ? parsed : -parsed;
    return true;
}

/// Between the SDK's own files.
#ifndef TOWPATH_INTERNAL_H
#define TOWPATH_INTERNAL_H

#include <towpath.h>
#include <wit.h>

/// Frees what `towpath_scratch` gave: at the end of each call.
void towpath_end_call(void);

/// A copy in memory of its own, as answers have it; an empty one needs none.
uint8_t *towpath_copy(towpath_bytes bytes);

static inline wit_string_t towpath_string(towpath_bytes text) {
    return (wit_string_t){towpath_copy(text), text.len};
}

/// Room for one item more in an array: it doubles when it is full.
void *towpath_grow(void *items, size_t len, size_t *capacity, size_t size);

/// A failure as answers have it.
static inline void towpath_failed(towpath_failure from, towpath_plugin_types_failure_t *to) {
    to->message = towpath_string(from.message);
    to->retriable = from.retriable;
}

#endif

/// Towpath's SDK for plugins in C: what every kind has. A plugin includes the header of its kind, such as <towpath/transformation.h>, and
/// defines `towpath_plugin`, `towpath_init` and that kind's functions. The contract behind it, with every rule, is wit/ in Towpath's repository;
/// its bindings are in <wit.h>.
#ifndef TOWPATH_H
#define TOWPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// --- bytes and texts ---

/// Bytes, not ended by 0. `data` is NULL for null: no key, a tombstone, a header without a value; bytes of length 0 are not null.
typedef struct {
    const uint8_t *data;
    size_t len;
} towpath_bytes;

#define TOWPATH_NULL ((towpath_bytes){NULL, 0})

/// A text that is ended by 0, without that 0.
static inline towpath_bytes towpath_text(const char *text) {
    return (towpath_bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool towpath_is_null(towpath_bytes bytes) {
    return bytes.data == NULL;
}

/// The same bytes; null is equal to null alone.
bool towpath_equal(towpath_bytes one, towpath_bytes other);

/// The first without the second, where it starts with it; null: it does not.
towpath_bytes towpath_without_prefix(towpath_bytes bytes, towpath_bytes prefix);

/// Parts behind each other, in memory that is freed after the call: `towpath_join(towpath_text("no "), name)`.
#define towpath_join(...)                                                       \
    towpath_join_parts((const towpath_bytes[]){__VA_ARGS__},                    \
                       sizeof((const towpath_bytes[]){__VA_ARGS__}) / sizeof(towpath_bytes))
towpath_bytes towpath_join_parts(const towpath_bytes *parts, size_t count);

/// A number in decimals, in memory that is freed after the call.
towpath_bytes towpath_decimal(int64_t number);

/// A whole number, with spaces around it or not; false: it is none, or too large.
bool towpath_parse(towpath_bytes text, int64_t *number);

/// Memory that is freed after the call. What is to last longer comes from malloc.
void *towpath_scratch(size_t size);

// --- who the plugin is ---

typedef enum {
    TOWPATH_BOOLEAN,
    TOWPATH_INT,
    TOWPATH_LONG,
    TOWPATH_DOUBLE,
    TOWPATH_STRING,
    TOWPATH_LIST,
    TOWPATH_CLASS,
    TOWPATH_PASSWORD,
} towpath_type;

typedef enum { TOWPATH_REQUIRED, TOWPATH_OPTIONAL, TOWPATH_DEFAULT } towpath_presence;

/// A configuration key, as in Kafka's ConfigDef. The host checks values against it before `towpath_init` is called.
typedef struct {
    const char *name;
    const char *documentation;
    towpath_type type;
    towpath_presence presence;
    /// With TOWPATH_DEFAULT: what `towpath_init` sees where nothing is given.
    const char *value;
    /// The values allowed, ended by NULL; NULL: any.
    const char *const *valid_values;
} towpath_key;

typedef struct {
    /// Lower case letters, digits and `-`, starting with a letter, at most 64.
    const char *name;
    /// As in semver.
    const char *version;
    /// What it does. First sentence: the summary.
    const char *documentation;
    const towpath_key *keys;
    size_t key_count;
} towpath_descriptor;

/// Defined by the plugin.
extern const towpath_descriptor towpath_plugin;

// --- its configuration ---

typedef struct towpath_config towpath_config;

/// The value of a key, as given or its default; null: it is optional and was not given. It stays where it is for as long as the plugin lives.
towpath_bytes towpath_get(const towpath_config *config, const char *key);

/// Notes a mistake: what is wrong and what would be right, lower case, without the key and its value. Note all of them before returning.
void towpath_mistake(towpath_config *config, const char *key, const char *message);

enum {
    TOWPATH_READS_KEY = 1 << 0,
    TOWPATH_READS_VALUE = 1 << 1,
    TOWPATH_READS_HEADER = 1 << 2,
    TOWPATH_READS_TIMESTAMP = 1 << 3,
    TOWPATH_READS_OFFSET = 1 << 4,
};

enum {
    TOWPATH_CHANGES_KEY = 1 << 0,
    TOWPATH_CHANGES_VALUE = 1 << 1,
    TOWPATH_CHANGES_HEADERS = 1 << 2,
    TOWPATH_DROPS = 1 << 3,
    TOWPATH_SPLITS = 1 << 4,
    TOWPATH_CHANGES_TOPIC = 1 << 5,
};

/// What the configured plugin touches: the host gives no more, and allows no more. All 0 at first.
typedef struct {
    uint8_t reads;
    uint8_t effects;
} towpath_needs;

/// Defined by the plugin: configures it. Called once, before anything else.
void towpath_init(towpath_config *config, towpath_needs *needs);

// --- calls ---

typedef struct {
    towpath_bytes message;
    bool retriable;
} towpath_failure;

/// The call as a whole failed, for the reason given: `return towpath_fail(failure, "...", false);`. One bad record is not a failure.
static inline bool towpath_fail(towpath_failure *failure, const char *message, bool retriable) {
    failure->message = towpath_text(message);
    failure->retriable = retriable;
    return false;
}

typedef enum { TOWPATH_TRACE, TOWPATH_DEBUG, TOWPATH_INFO, TOWPATH_WARN, TOWPATH_ERROR } towpath_level;

/// A line in the worker's log.
void towpath_log(towpath_level level, towpath_bytes message);

/// Adds to a counter of the plugin's own.
void towpath_count(const char *name, uint64_t by);

#endif

/// Matches records with large values.
#include <towpath/predicate.h>

static const towpath_key KEYS[] = {
    {
        .name = "bytes",
        .type = TOWPATH_INT,
        .presence = TOWPATH_REQUIRED,
        .documentation = "From so many bytes on, at least 1.",
    },
};

const towpath_descriptor towpath_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .documentation = "Matches records whose value has at least so many bytes.",
    .keys = KEYS,
    .key_count = 1,
};

static int64_t bytes;

/// What it reads, as configured: the host gives no more.
void towpath_init(towpath_config *config, towpath_needs *needs) {
    if (!towpath_parse(towpath_get(config, "bytes"), &bytes) || bytes < 1) {
        towpath_mistake(config, "bytes", "must be a number of bytes, at least 1");
    }
    needs->reads = TOWPATH_READS_VALUE;
}

bool towpath_matching(towpath_batch *batch, towpath_matches *matches, towpath_failure *failure) {
    (void)failure;
    for (uint32_t index = 0; index < towpath_len(batch); index++) {
        // null, a tombstone, has the length 0
        if ((int64_t)towpath_value(batch, index).len >= bytes) {
            towpath_match(matches, index);
        }
    }
    return true;
}

/// Adds a header with a fixed value to every record: plugins/insert-header, in C.
#include <towpath/transformation.h>

static const char *const EXISTING[] = {"append", "keep", "replace", NULL};

static const towpath_key KEYS[] = {
    {.name = "header", .type = TOWPATH_STRING, .presence = TOWPATH_REQUIRED, .documentation = "The header's key."},
    {
        .name = "value.literal",
        .type = TOWPATH_STRING,
        .presence = TOWPATH_REQUIRED,
        .documentation = "The header's value. Its UTF-8 bytes are written as they are.",
    },
    {
        .name = "existing",
        .type = TOWPATH_STRING,
        .presence = TOWPATH_DEFAULT,
        .value = "append",
        .valid_values = EXISTING,
        .documentation = "What becomes of a record that has headers of this key.",
    },
};

const towpath_descriptor towpath_plugin = {
    .name = "insert-header",
    .version = "0.1.0",
    .documentation = "Adds a header with a fixed value to every record.",
    .keys = KEYS,
    .key_count = 3,
};

static towpath_bytes header, value;
static enum { APPEND, KEEP, REPLACE } existing;

void towpath_init(towpath_config *config, towpath_needs *needs) {
    header = towpath_get(config, "header");
    value = towpath_get(config, "value.literal");
    if (header.len == 0) {
        towpath_mistake(config, "header", "must not be empty; a header's key, such as mirrored-from");
    }
    // The host has checked that it is one of them.
    towpath_bytes chosen = towpath_get(config, "existing");
    existing = towpath_equal(chosen, towpath_text("keep"))      ? KEEP
               : towpath_equal(chosen, towpath_text("replace")) ? REPLACE
                                                                : APPEND;
    needs->effects = TOWPATH_CHANGES_HEADERS;
    needs->reads = existing == KEEP ? TOWPATH_READS_HEADER : 0;
}

bool towpath_transform(towpath_batch *batch, towpath_edits *edits, towpath_failure *failure) {
    (void)failure;
    for (uint32_t index = 0; index < towpath_len(batch); index++) {
        // A null value counts as no header.
        if (existing == KEEP && !towpath_is_null(towpath_header(batch, index, header))) {
            continue;
        }
        if (existing == REPLACE) {
            towpath_remove_headers(edits, index, header);
        }
        towpath_append_header(edits, index, header, value);
    }
    return true;
}

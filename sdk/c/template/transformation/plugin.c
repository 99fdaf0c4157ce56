/// Adds a header to every record that says which topic it came from.
#include <towpath/transformation.h>

static const towpath_key KEYS[] = {
    {
        .name = "header",
        .type = TOWPATH_STRING,
        .presence = TOWPATH_DEFAULT,
        .value = "source.topic",
        .documentation = "The header's key.",
    },
};

const towpath_descriptor towpath_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .documentation = "Adds a header that says which topic a record came from.",
    .keys = KEYS,
    .key_count = 1,
};

static towpath_bytes header;

/// What it reads and changes, as configured: the host gives no more, and allows no more.
void towpath_init(towpath_config *config, towpath_needs *needs) {
    header = towpath_get(config, "header");
    if (header.len == 0) {
        towpath_mistake(config, "header", "must not be empty; such as source.topic");
    }
    needs->effects = TOWPATH_CHANGES_HEADERS;
}

bool towpath_transform(towpath_batch *batch, towpath_edits *edits, towpath_failure *failure) {
    (void)failure;
    for (uint32_t index = 0; index < towpath_len(batch); index++) {
        towpath_append_header(edits, index, header, towpath_topic(batch));
    }
    return true;
}

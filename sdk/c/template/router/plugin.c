/// Puts a prefix before the names of topics.
#include <towpath/router.h>

static const towpath_key KEYS[] = {
    {.name = "prefix", .type = TOWPATH_STRING, .presence = TOWPATH_REQUIRED, .documentation = "Such as eu-1."},
};

const towpath_descriptor towpath_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .documentation = "Puts a prefix before the names of topics.",
    .keys = KEYS,
    .key_count = 1,
};

static towpath_bytes prefix;

void towpath_init(towpath_config *config, towpath_needs *needs) {
    (void)needs;
    prefix = towpath_get(config, "prefix");
    if (prefix.len == 0) {
        towpath_mistake(config, "prefix", "must not be empty; such as eu-1.");
    }
}

bool towpath_map_topic(towpath_bytes topic, towpath_bytes *mapped, towpath_failure *failure) {
    (void)failure;
    *mapped = towpath_join(prefix, topic);
    return true;
}

/// The way back: the host checks that it leads to where the topic came from.
bool towpath_unmap_topic(towpath_bytes topic, towpath_bytes *unmapped, towpath_failure *failure) {
    (void)failure;
    *unmapped = towpath_without_prefix(topic, prefix);
    return true;
}

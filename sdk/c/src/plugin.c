// Who the plugin is, its configuration, and what it may ask of the host.

#include "internal.h"

typedef exports_towpath_plugin_plugin_config_key_t wit_key;

struct towpath_config {
    wit_list_tuple2_string_string_t values;
    exports_towpath_plugin_plugin_list_config_error_t mistakes;
    size_t capacity;
};

static wit_string_t text(const char *text) {
    return towpath_string(towpath_text(text == NULL ? "" : text));
}

static void describe_key(const towpath_key *from, uint32_t order, wit_key *to) {
    memset(to, 0, sizeof *to);
    to->name = text(from->name);
    to->documentation = text(from->documentation);
    to->config_type = (uint8_t)from->type;
    to->importance = EXPORTS_TOWPATH_PLUGIN_PLUGIN_IMPORTANCE_MEDIUM;
    to->order = order;
    to->presence.tag = (uint8_t)from->presence;
    if (from->presence == TOWPATH_DEFAULT) {
        to->presence.val.default_ = text(from->value);
    }
    size_t count = 0;
    while (from->valid_values != NULL && from->valid_values[count] != NULL) {
        count++;
    }
    if (count > 0) {
        to->valid_values.ptr = malloc(count * sizeof(wit_string_t));
        to->valid_values.len = count;
        for (size_t i = 0; i < count; i++) {
            to->valid_values.ptr[i] = text(from->valid_values[i]);
        }
    }
}

void exports_towpath_plugin_plugin_describe(exports_towpath_plugin_plugin_descriptor_t *ret) {
    ret->name = text(towpath_plugin.name);
    ret->version = text(towpath_plugin.version);
    ret->documentation = text(towpath_plugin.documentation);
    ret->config.len = towpath_plugin.key_count;
    ret->config.ptr = towpath_plugin.key_count == 0 ? NULL : malloc(towpath_plugin.key_count * sizeof(wit_key));
    for (size_t i = 0; i < towpath_plugin.key_count; i++) {
        describe_key(&towpath_plugin.keys[i], (uint32_t)i, &ret->config.ptr[i]);
    }
}

bool exports_towpath_plugin_plugin_init(wit_list_tuple2_string_string_t *config,
                                        exports_towpath_plugin_plugin_needs_t *ret,
                                        exports_towpath_plugin_plugin_list_config_error_t *err) {
    // The values are never freed: plugins keep them.
    towpath_config own = {.values = *config};
    towpath_needs needs = {0};
    towpath_init(&own, &needs);
    towpath_end_call();
    *err = own.mistakes;
    ret->reads = needs.reads;
    ret->effects = needs.effects;
    return own.mistakes.len == 0;
}

towpath_bytes towpath_get(const towpath_config *config, const char *key) {
    for (size_t i = 0; i < config->values.len; i++) {
        wit_string_t name = config->values.ptr[i].f0, value = config->values.ptr[i].f1;
        if (towpath_equal((towpath_bytes){name.ptr, name.len}, towpath_text(key))) {
            return value.len == 0 ? towpath_text("") : (towpath_bytes){value.ptr, value.len};
        }
    }
    return TOWPATH_NULL;
}

void towpath_mistake(towpath_config *config, const char *key, const char *message) {
    exports_towpath_plugin_plugin_list_config_error_t *mistakes = &config->mistakes;
    mistakes->ptr = towpath_grow(mistakes->ptr, mistakes->len, &config->capacity, sizeof *mistakes->ptr);
    mistakes->ptr[mistakes->len].key = text(key);
    mistakes->ptr[mistakes->len].message = text(message);
    mistakes->len++;
}

void towpath_log(towpath_level level, towpath_bytes message) {
    wit_string_t line = {(uint8_t *)message.data, message.len};
    towpath_plugin_host_log((uint8_t)level, &line);
}

void towpath_count(const char *name, uint64_t by) {
    wit_string_t counter = {(uint8_t *)name, strlen(name)};
    towpath_plugin_host_count(&counter, by);
}

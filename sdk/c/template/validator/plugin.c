/// Rejects records whose value is not JSON, or lacks a field.
#include <towpath/json.h>
#include <towpath/validator.h>

static const towpath_key KEYS[] = {
    {
        .name = "field",
        .type = TOWPATH_STRING,
        .presence = TOWPATH_REQUIRED,
        .documentation = "The field, such as id or customer.id.",
    },
};

const towpath_descriptor towpath_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .documentation = "Rejects records whose value on the target is not JSON, or lacks a field.",
    .keys = KEYS,
    .key_count = 1,
};

static towpath_bytes field;

/// What it reads, as configured: the host gives no more.
void towpath_init(towpath_config *config, towpath_needs *needs) {
    field = towpath_get(config, "field");
    if (field.len == 0) {
        towpath_mistake(config, "field", "must not be empty; such as id or customer.id");
    }
    needs->reads = TOWPATH_READS_VALUE;
}

bool towpath_validate(towpath_batch *source, towpath_batch *target, const towpath_pair *pairs, uint32_t count,
                      towpath_rejections *rejections, towpath_failure *failure) {
    (void)source, (void)failure;
    for (uint32_t pair = 0; pair < count; pair++) {
        if (!pairs[pair].target.is_some) {
            continue;
        }
        towpath_bytes value = towpath_value(target, pairs[pair].target.val);
        // a tombstone
        if (towpath_is_null(value)) {
            continue;
        }
        switch (towpath_json_find(value, field, NULL)) {
        case TOWPATH_JSON_FOUND:
            break;
        case TOWPATH_JSON_MISSING:
            towpath_reject_pair(rejections, pair, towpath_join(towpath_text("the value has no field "), field));
            break;
        case TOWPATH_JSON_INVALID:
            towpath_reject_pair(rejections, pair, towpath_text("the value is not JSON"));
            break;
        }
    }
    return true;
}

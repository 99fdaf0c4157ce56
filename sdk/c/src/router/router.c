// A router's calls.

#include "../internal.h"
#include <towpath/router.h>

typedef bool route(towpath_bytes topic, towpath_bytes *answer, towpath_failure *failure);

static bool call(route *route, wit_string_t *topic, wit_option_string_t *ret, towpath_plugin_types_failure_t *err) {
    towpath_bytes answer = TOWPATH_NULL;
    towpath_failure failure = {0};
    towpath_bytes asked = topic->len == 0 ? towpath_text("") : (towpath_bytes){topic->ptr, topic->len};
    bool done = route(asked, &answer, &failure);
    if (done) {
        ret->is_some = !towpath_is_null(answer);
        ret->val = towpath_string(answer);
    } else {
        towpath_failed(failure, err);
    }
    wit_string_free(topic);
    towpath_end_call();
    return done;
}

bool exports_towpath_plugin_router_map_topic(wit_string_t *topic, wit_option_string_t *ret,
                                             exports_towpath_plugin_router_failure_t *err) {
    return call(towpath_map_topic, topic, ret, err);
}

bool exports_towpath_plugin_router_unmap_topic(wit_string_t *topic, wit_option_string_t *ret,
                                               exports_towpath_plugin_router_failure_t *err) {
    return call(towpath_unmap_topic, topic, ret, err);
}

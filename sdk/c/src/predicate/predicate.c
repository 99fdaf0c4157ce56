// A predicate's call.

#include "../records/batch.h"
#include <towpath/predicate.h>

struct towpath_matches {
    wit_list_u32_t answer;
    size_t room;
};

bool exports_towpath_plugin_predicate_matching(exports_towpath_plugin_predicate_borrow_batch_t handle,
                                               wit_list_u32_t *ret, exports_towpath_plugin_predicate_failure_t *err) {
    towpath_batch batch = towpath_lent(handle);
    towpath_matches matches = {0};
    towpath_failure failure = {0};
    bool done = towpath_matching(&batch, &matches, &failure);
    if (done) {
        *ret = matches.answer;
    } else {
        wit_list_u32_free(&matches.answer);
        towpath_failed(failure, err);
    }
    towpath_returned(&batch);
    towpath_end_call();
    return done;
}

void towpath_match(towpath_matches *matches, uint32_t index) {
    wit_list_u32_t *answer = &matches->answer;
    answer->ptr = towpath_grow(answer->ptr, answer->len, &matches->room, sizeof index);
    answer->ptr[answer->len++] = index;
}

// A validator's call.

#include "../records/batch.h"
#include <towpath/validator.h>

struct towpath_rejections {
    exports_towpath_plugin_validator_list_rejection_t answer;
    size_t room;
};

bool exports_towpath_plugin_validator_validate(exports_towpath_plugin_validator_borrow_batch_t source_handle,
                                               exports_towpath_plugin_validator_borrow_batch_t target_handle,
                                               exports_towpath_plugin_validator_list_pair_t *pairs,
                                               exports_towpath_plugin_validator_list_rejection_t *ret,
                                               exports_towpath_plugin_validator_failure_t *err) {
    towpath_batch source = towpath_lent(source_handle), target = towpath_lent(target_handle);
    towpath_rejections rejections = {0};
    towpath_failure failure = {0};
    bool done = towpath_validate(&source, &target, pairs->ptr, (uint32_t)pairs->len, &rejections, &failure);
    if (done) {
        *ret = rejections.answer;
    } else {
        exports_towpath_plugin_validator_list_rejection_free(&rejections.answer);
        towpath_failed(failure, err);
    }
    exports_towpath_plugin_validator_list_pair_free(pairs);
    towpath_returned(&source);
    towpath_returned(&target);
    towpath_end_call();
    return done;
}

void towpath_reject_pair(towpath_rejections *rejections, uint32_t pair, towpath_bytes reason) {
    exports_towpath_plugin_validator_list_rejection_t *answer = &rejections->answer;
    answer->ptr = towpath_grow(answer->ptr, answer->len, &rejections->room, sizeof *answer->ptr);
    answer->ptr[answer->len].index = pair;
    answer->ptr[answer->len].reason = towpath_string(reason);
    answer->len++;
}

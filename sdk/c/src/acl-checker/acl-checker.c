// An ACL checker's call.

#include "../checks/findings.h"
#include <towpath/acl-checker.h>

bool exports_towpath_checks_acl_checker_check(towpath_acl_bindings *due, towpath_acl_bindings *pending,
                                              towpath_acl_bindings *target,
                                              exports_towpath_checks_acl_checker_list_finding_t *ret,
                                              exports_towpath_checks_acl_checker_failure_t *err) {
    towpath_findings findings = {0};
    towpath_failure failure = {0};
    bool done = towpath_check(due, pending, target, &findings, &failure);
    if (done) {
        *ret = (exports_towpath_checks_acl_checker_list_finding_t){findings.ptr, findings.len};
    } else {
        towpath_forget_findings(&findings);
        towpath_failed(failure, err);
    }
    exports_towpath_checks_acl_checker_list_acl_binding_free(due);
    exports_towpath_checks_acl_checker_list_acl_binding_free(pending);
    exports_towpath_checks_acl_checker_list_acl_binding_free(target);
    towpath_end_call();
    return done;
}

static bool same(wit_string_t one, wit_string_t other) {
    return towpath_equal(towpath_of(one), towpath_of(other));
}

bool towpath_same_binding(const towpath_acl_binding *one, const towpath_acl_binding *other) {
    return same(one->resource_type, other->resource_type) && same(one->resource_name, other->resource_name) &&
           same(one->pattern_type, other->pattern_type) && same(one->principal, other->principal) &&
           same(one->host, other->host) && same(one->operation, other->operation) &&
           same(one->permission, other->permission);
}

// A schema checker's call.

#include "../checks/findings.h"
#include <towpath/schema-checker.h>

bool exports_towpath_checks_schema_checker_check(towpath_subject *source, towpath_subject *target,
                                                 exports_towpath_checks_schema_checker_list_finding_t *ret,
                                                 exports_towpath_checks_schema_checker_failure_t *err) {
    towpath_findings findings = {0};
    towpath_failure failure = {0};
    bool done = towpath_check(source, target, &findings, &failure);
    if (done) {
        *ret = (exports_towpath_checks_schema_checker_list_finding_t){findings.ptr, findings.len};
    } else {
        towpath_forget_findings(&findings);
        towpath_failed(failure, err);
    }
    if (source != NULL) {
        exports_towpath_checks_schema_checker_subject_state_free(source);
    }
    if (target != NULL) {
        exports_towpath_checks_schema_checker_subject_state_free(target);
    }
    towpath_end_call();
    return done;
}

/// Finds access rules that are due and not on the target.
#include <towpath/acl-checker.h>

const towpath_descriptor towpath_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .documentation = "Finds access rules that are due and not on the target.",
};

void towpath_init(towpath_config *config, towpath_needs *needs) {
    (void)config, (void)needs;
}

static bool is_in(const towpath_acl_bindings *bindings, const towpath_acl_binding *one) {
    for (size_t i = 0; i < bindings->len; i++) {
        if (towpath_same_binding(&bindings->ptr[i], one)) {
            return true;
        }
    }
    return false;
}

bool towpath_check(const towpath_acl_bindings *due, const towpath_acl_bindings *pending,
                   const towpath_acl_bindings *target, towpath_findings *findings, towpath_failure *failure) {
    (void)pending, (void)failure;
    for (size_t i = 0; i < due->len; i++) {
        const towpath_acl_binding *one = &due->ptr[i];
        if (!is_in(target, one)) {
            towpath_find(findings, (towpath_finding){
                                       .severity = TOWPATH_FINDING_BLOCKING,
                                       .subject = towpath_join(towpath_of(one->principal), towpath_text(" "),
                                                               towpath_of(one->operation), towpath_text(" on "),
                                                               towpath_of(one->resource_type), towpath_text(" "),
                                                               towpath_of(one->resource_name)),
                                       .message = towpath_text("is not on the target"),
                                       .expected = towpath_of(one->permission),
                                       .remedy = towpath_text("add it there"),
                                   });
        }
    }
    return true;
}

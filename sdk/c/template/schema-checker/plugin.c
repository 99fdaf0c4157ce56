/// Finds subjects that have fewer versions on the target than at the source.
#include <towpath/schema-checker.h>

const towpath_descriptor towpath_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .documentation = "Finds subjects that have fewer versions on the target than at the source.",
};

void towpath_init(towpath_config *config, towpath_needs *needs) {
    (void)config, (void)needs;
}

bool towpath_check(const towpath_subject *source, const towpath_subject *target, towpath_findings *findings,
                   towpath_failure *failure) {
    (void)failure;
    // a subject on the target alone
    if (source == NULL) {
        return true;
    }
    size_t expected = source->versions.len, found = target == NULL ? 0 : target->versions.len;
    if (found < expected) {
        towpath_find(findings, (towpath_finding){
                                   .severity = TOWPATH_FINDING_BLOCKING,
                                   .subject = towpath_of(source->subject),
                                   .message = towpath_text("has fewer versions on the target"),
                                   .expected = towpath_decimal((int64_t)expected),
                                   .found = towpath_decimal((int64_t)found),
                                   .remedy = towpath_text("register the versions that are missing"),
                               });
    }
    return true;
}

// Findings as answers have them.

#include "findings.h"

static wit_option_string_t optional(towpath_bytes text) {
    return (wit_option_string_t){!towpath_is_null(text), towpath_string(text)};
}

void towpath_find(towpath_findings *findings, towpath_finding finding) {
    findings->ptr = towpath_grow(findings->ptr, findings->len, &findings->room, sizeof *findings->ptr);
    findings->ptr[findings->len++] = (towpath_checks_findings_finding_t){
        .severity = (uint8_t)finding.severity,
        .subject = towpath_string(finding.subject),
        .message = towpath_string(finding.message),
        .expected = optional(finding.expected),
        .found = optional(finding.found),
        .remedy = optional(finding.remedy),
    };
}

void towpath_forget_findings(towpath_findings *findings) {
    for (size_t i = 0; i < findings->len; i++) {
        towpath_checks_findings_finding_free(&findings->ptr[i]);
    }
    free(findings->ptr);
}

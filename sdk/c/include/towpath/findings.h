/// What checkers find.
#ifndef TOWPATH_FINDINGS_H
#define TOWPATH_FINDINGS_H

#include <towpath.h>
#include <wit.h>

typedef enum { TOWPATH_FINDING_INFO, TOWPATH_FINDING_WARNING, TOWPATH_FINDING_BLOCKING } towpath_severity;

typedef struct {
    towpath_severity severity;
    /// What it is about, as the user would name it.
    towpath_bytes subject;
    /// What is wrong, one sentence, lower case.
    towpath_bytes message;
    /// These may be null: what should be there, what is there, what a person can do about it.
    towpath_bytes expected, found, remedy;
} towpath_finding;

typedef struct towpath_findings towpath_findings;

void towpath_find(towpath_findings *findings, towpath_finding finding);

/// A text of <wit.h>.
static inline towpath_bytes towpath_of(wit_string_t text) {
    return (towpath_bytes){text.len == 0 ? (const uint8_t *)"" : text.ptr, text.len};
}

#endif

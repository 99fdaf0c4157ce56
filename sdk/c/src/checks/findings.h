/// What checkers answer with.
#ifndef TOWPATH_CHECKS_H
#define TOWPATH_CHECKS_H

#include "../internal.h"
#include <towpath/findings.h>

struct towpath_findings {
    towpath_checks_findings_finding_t *ptr;
    size_t len, room;
};

void towpath_forget_findings(towpath_findings *findings);

#endif

/// A schema checker compares a subject on both registries.
#ifndef TOWPATH_SCHEMA_CHECKER_H
#define TOWPATH_SCHEMA_CHECKER_H

#include <towpath/findings.h>

typedef exports_towpath_checks_schema_checker_subject_state_t towpath_subject;

/// Defined by the plugin. NULL: the subject does not exist on that side, never on both. False: see `towpath_fail`.
bool towpath_check(const towpath_subject *source, const towpath_subject *target, towpath_findings *findings,
                   towpath_failure *failure);

#endif

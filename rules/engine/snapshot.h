/* rules/engine/snapshot.h - internal to rules/engine: the members of the state that a snapshot carries, as
 * tables for writing and reading. A member that is missing here is lost when heald starts from a snapshot:
 * snapshot.c asserts the sizes, and every test of the engine goes through one.
 *
 * A snapshot is facts of kind "state", each a part: one "begin", then pauses, workloads, incidents with their
 * alerts, alerts without an incident, what is remembered in arrays (several to a fact), and one "end". */
#ifndef RULES_ENGINE_SNAPSHOT_H
#define RULES_ENGINE_SNAPSHOT_H

#include "rules/engine/state.h"
#include "rules/model/fact_fields.h"

#define SNAPSHOT_PACKED 40u /* entries of an array in one fact */
#define SNAPSHOT_NUMBERS 8u /* at most, of one entry */

extern const struct field snapshot_begin_fields[], snapshot_pause_fields[], snapshot_workload_fields[],
    snapshot_incident_fields[], snapshot_approval_fields[];
extern const char *const snapshot_state_words[];

#endif

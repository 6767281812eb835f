/* receiver/runtime/fault.h - named points at which a test may kill the process, or let a call fail. Compiled
 * in by -DFAULT_POINTS=ON only.
 *
 * HEALD_FAULT="kill:intent-committed" ends the process by SIGKILL when it comes by the point;
 * "kill:intent-committed:3" the third time; "fail:journal-append:2+5" makes fault_fails() true from the 2nd
 * time on, 5 times ("+": for ever). Several, separated by commas. A point that is not in the list, or a text
 * that cannot be read, ends the process with status 2: no test passes by a misspelling.
 *
 * Calls that can fail: journal-append (as a full disk: nothing is written), journal-unknown (as an I/O error
 * after the commit: everything is written, the answer is APPEND_UNKNOWN). */
#ifndef RECEIVER_RUNTIME_FAULT_H
#define RECEIVER_RUNTIME_FAULT_H

#include <stdbool.h>

#ifdef HEALD_FAULT_POINTS
void fault_point(const char *name);
bool fault_fails(const char *name);
#else
static inline void fault_point(const char *name)
{
    (void)name;
}
static inline bool fault_fails(const char *name)
{
    (void)name;
    return false;
}
#endif
/* All points, for the crash test's list: one string each, NULL-ended. */
extern const char *const fault_points[];

#endif

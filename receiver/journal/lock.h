/* receiver/journal/lock.h - one process a journal: flock on FILE.lock, so that sqlite3 can still read FILE.
 */
#ifndef RECEIVER_JOURNAL_LOCK_H
#define RECEIVER_JOURNAL_LOCK_H

#include "rules/base/err.h"

/* Take FILE.lock; held until *ret_fd is closed, however the process ends. The lock's file stays: it holds the
 * process' id. ERR_CONFLICT  another process holds it (its id is in the message) ERR_IO        it cannot be
 * made */
enum err_code lock_take(int *ret_fd, const char *file, struct err *e);

#endif

/* receiver/journal/wal.h - damage in a write-ahead log, which SQLite itself passes over: it ends its recovery
 * at the first frame whose checksum is wrong, as it must after a crash in the middle of a write, and what was
 * committed behind that frame is gone without a word. */
#ifndef RECEIVER_JOURNAL_WAL_H
#define RECEIVER_JOURNAL_WAL_H

#include "rules/base/err.h"

/* Before anybody opens the journal whose path this is. ERR_INVALID: behind a frame that cannot be read lie
 * the ends of two transactions or more, of which the first was on the disk before the next was begun: that is
 * no crash, but damage; it names the byte, and how to keep what lies before it. ERR_IO. ERR_OK also when
 * there is no log, or no readable head of one: then SQLite takes it for empty, and the facts are looked at.
 */
enum err_code wal_check(const char *path, const char *file, struct err *e);

#endif

/* receiver/journal/copy.h - a consistent copy of a journal, and back: for `heald backup` and `heald restore`.
 */
#ifndef RECEIVER_JOURNAL_COPY_H
#define RECEIVER_JOURNAL_COPY_H

#include "receiver/journal/journal.h"

/* Copy the journal `file`, which a daemon may be writing to meanwhile, into the new file `to`: everything
 * that was committed when it began. `to` gets its name only when it is whole and on the disk. ERR_CONFLICT
 * `to` is there already ERR_NOT_FOUND, ERR_INVALID  `file` is not there, or no journal ERR_FULL, ERR_IO */
enum err_code journal_copy(const char *file, const char *to, struct err *e);

/* Put `from` in the place of the journal `file`, which is kept as FILE.before-restore. `check` is called with
 * a copy of it, opened, before anything is replaced; what it returns ends the restore. The new journal is
 * marked as restored. ERR_CONFLICT: a process holds `file`, or FILE.before-restore is there. */
enum err_code journal_restore(const char *from, const char *file,
                              enum err_code (*check)(void *ctx, struct journal *j, struct err *e), void *ctx,
                              struct err *e);

/* Was it put back from a copy, and nobody has taken note of it? */
bool journal_restored(const struct journal *j);
enum err_code journal_note_restored(struct journal *j, struct err *e);

#endif

/* receiver/journal/schema.h - the tables of a journal in SQLite, and how an older file is brought forward. */
#ifndef RECEIVER_JOURNAL_SCHEMA_H
#define RECEIVER_JOURNAL_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>

#include "rules/base/err.h"

#define SCHEMA_APPLICATION_ID 0x6865616c /* "heal": file(1) and heald tell a journal by it */

/* Make an empty database a journal of the newest version. A journal of the release before stays as it is, so
 * that that one can read it again; an older one is brought there, in one transaction.
 *   ERR_INVALID  a database of something else
 *   ERR_VERSION  written by a newer release
 *   ERR_FULL, ERR_IO, ...
 * *ret_created: it was empty. */
enum err_code schema_bring_up(sqlite3 *db, const char *file, bool *ret_created, int *ret_version,
                              struct err *e);
/* Bring it forward, in one transaction. */
enum err_code schema_bring_to(sqlite3 *db, const char *file, int version, int wanted, struct err *e);

/* What SQLite's last error on `db` means, with the text 'journal "FILE": WHAT: reason' in e. */
enum err_code schema_error(sqlite3 *db, const char *file, const char *what, struct err *e);

#endif

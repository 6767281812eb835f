/* receiver/journal/projection.h - tables that say of each incident and each of its writes how they stand:
 * what the API and the page read.
 *
 * They follow from the facts alone, are kept in the transaction that appends a fact, and can be built anew at
 * any time. They are never read by the engine. What a fact does to them stands in one table of SQL
 * (projection.c). */
#ifndef RECEIVER_JOURNAL_PROJECTION_H
#define RECEIVER_JOURNAL_PROJECTION_H

#include <sqlite3.h>
#include <stdbool.h>

#include "receiver/journal/journal.h"

#define PROJECTION_VERSION 1 /* of the tables below; another one in the file: they are built anew */

struct projection;

/* The tables are there, of this version, and have seen the last fact: else they are built from the facts, in
 * one transaction. `file` is for messages. The database must outlive the projection. */
enum err_code projection_open(struct projection **ret, sqlite3 *db, const char *file, struct err *e);
struct projection *projection_close(struct projection *p);

/* Inside the caller's transaction. SQLITE_OK, or SQLite's error: then nothing of the transaction may stay. */
int projection_add(struct projection *p, const struct journal_row *row);

/* Drop the rows and build them from the facts; rows of incidents whose facts are gone stay. */
enum err_code projection_rebuild(struct projection *p, struct err *e);

#endif

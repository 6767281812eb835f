/* receiver/journal/schema.c */
#include "receiver/journal/schema.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "receiver/journal/journal.h"

#define TEXT_OF(x) TEXT_OF_(x)
#define TEXT_OF_(x) #x

/* steps[n] brings version n to n + 1. `history` is for people: sqlite3 FILE "select * from history where
 * incident = '...'". */
static const char *const steps[] = {
    "PRAGMA application_id = " TEXT_OF(
        SCHEMA_APPLICATION_ID) ";"
                               "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
                               "CREATE TABLE fact ("
                               "  seq INTEGER PRIMARY KEY," /* 1, 2, 3, ... without a gap */
                               "  at_ms INTEGER NOT NULL,"  /* engine time */
                               "  kind TEXT NOT NULL,"
                               "  incident TEXT NOT NULL," /* '' none */
                               "  body TEXT NOT NULL,"     /* JSON */
                               "  blob BLOB,"              /* SHA-256 of a blob, or NULL */
                               "  chain BLOB NOT NULL"     /* see chain.h */
                               ") STRICT;"
                               "CREATE TABLE blob (hash BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT, "
                               "WITHOUT ROWID;"
                               "CREATE VIEW history AS"
                               "  SELECT seq, strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS "
                               "at, kind, incident, fact.body AS body,"
                               "    CAST(blob.body AS TEXT) AS blob"
                               "  FROM fact LEFT JOIN blob ON blob.hash = fact.blob;"
                               "INSERT INTO meta VALUES ('begun_by', 'heald " HEALD_VERSION
                               "'), ('probed', 0);",
    /* 2: snapshots, and facts that are removed. `id` is the snapshot's number (the last fact folded into it)
       times 2^24 and a count. */
    "CREATE TABLE snapshot (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
    "  incident TEXT NOT NULL, body TEXT NOT NULL, blob BLOB, chain BLOB NOT NULL) STRICT;"
    "CREATE INDEX fact_blob ON fact (blob) WHERE blob IS NOT NULL;"
    "CREATE INDEX fact_snapshot ON fact (seq) WHERE kind = 'snapshot';"
    "INSERT INTO meta VALUES ('trimmed', 0), ('trimmed_link', zeroblob(32));",
};
_Static_assert(sizeof steps / sizeof steps[0] == JOURNAL_SCHEMA_VERSION, "one step a version");

enum err_code schema_error(sqlite3 *db, const char *file, const char *what, struct err *e)
{
    static const struct {
        int sqlite;
        enum err_code code;
        const char *remedy;
    } table[] = {
        { SQLITE_FULL, ERR_FULL, "; free some space" },
        { SQLITE_NOMEM, ERR_NOMEM, "" },
        { SQLITE_CORRUPT, ERR_INVALID, "; restore a backup, or move the file away to begin anew" },
        { SQLITE_NOTADB, ERR_INVALID, "; give a file that heald made, or one that does not exist yet" },
        { SQLITE_BUSY, ERR_UNAVAILABLE, "; another program holds it: end its transaction" },
        { SQLITE_READONLY, ERR_IO, "; heald must be able to write it" },
        { SQLITE_CANTOPEN, ERR_IO, "; heald must be able to write to its folder" },
        { SQLITE_CONSTRAINT, ERR_CONFLICT, "" },
    };
    int rc = sqlite3_errcode(db), os = sqlite3_system_errno(db);
    const char *reason = os && (rc & 0xff) != SQLITE_FULL ? strerror(os) : sqlite3_errmsg(db);
    if (os == ENOSPC || os == EDQUOT)
        rc = SQLITE_FULL;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].sqlite == (rc & 0xff))
            return err_set(e, table[i].code, "journal \"%s\": %s: %s%s", file, what, reason, table[i].remedy);
    return err_set(e, ERR_IO, "journal \"%s\": %s: %s", file, what, reason);
}

static enum err_code ask_number(sqlite3 *db, const char *file, const char *sql, int64_t *ret, struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) {
        enum err_code code = schema_error(db, file, "cannot read it", e);
        sqlite3_finalize(s);
        return code;
    }
    *ret = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return ERR_OK;
}

enum err_code schema_bring_to(sqlite3 *db, const char *file, int version, int wanted, struct err *e)
{
    char sql[48];
    if (version >= wanted)
        return ERR_OK;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (int v = version; rc == SQLITE_OK && v < wanted; v++)
        rc = sqlite3_exec(db, steps[v], NULL, NULL, NULL);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d; COMMIT", wanted);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return ERR_OK;
    enum err_code code = schema_error(db, file, "cannot bring its tables to this release's", e);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

enum err_code schema_bring_up(sqlite3 *db, const char *file, bool *ret_created, int *ret_version,
                              struct err *e)
{
    int64_t application = 0, version = 0, objects = 0;
    enum err_code code = ask_number(db, file, "PRAGMA application_id", &application, e);
    if (code == ERR_OK)
        code = ask_number(db, file, "PRAGMA user_version", &version, e);
    if (code == ERR_OK)
        code = ask_number(db, file, "SELECT count(*) FROM sqlite_schema", &objects, e);
    if (code != ERR_OK)
        return code;

    bool empty = application == 0 && version == 0 && objects == 0;
    if (!empty && application != SCHEMA_APPLICATION_ID)
        return err_set(e, ERR_INVALID,
                       "\"%s\" is a database, but no journal of heald; give a file that heald made, or one "
                       "that does not exist yet",
                       file);
    if (version < 0 || version > JOURNAL_SCHEMA_VERSION)
        return err_set(e, ERR_VERSION,
                       "journal \"%s\" has schema %lld, this release knows up to %d; run the newer release "
                       "again, or restore a backup from before the upgrade",
                       file, (long long)version, JOURNAL_SCHEMA_VERSION);
    int wanted = empty ? JOURNAL_SCHEMA_VERSION : JOURNAL_SCHEMA_VERSION - 1;
    code = schema_bring_to(db, file, (int)version, wanted, e);
    if (code != ERR_OK)
        return code;
    *ret_created = empty;
    *ret_version = version > wanted ? (int)version : wanted;
    return ERR_OK;
}

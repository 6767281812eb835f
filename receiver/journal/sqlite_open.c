/* receiver/journal/sqlite_open.c - opening and closing a journal: whose file is it, who else has it, which
 * version. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "receiver/journal/lock.h"
#include "receiver/journal/netfs.h"
#include "receiver/journal/schema.h"
#include "receiver/journal/sqlite_internal.h"
#include "receiver/journal/wal.h"

#define SQLITE_HEADER_BYTES 100 /* fileformat2.html, 1.3 */
#define BUSY_MS 2000            /* longest wait for somebody's sqlite3 shell that holds the write lock */
#define LOOKASIDE_SLOT 128
#define LOOKASIDE_SLOTS 100

/* The page cache is 384 KiB of heald's 4 MiB. The WAL is copied back every 8 MiB, and keeps its size: writing
 * over blocks that exist already makes fdatasync cheaper than growing a file, so it is laid out whole at the
 * start. A reader that stays open may let it grow further; it is cut back to 16 MiB. */
#define WAL_BYTES (8u << 20)
static const char pragmas[] =
    "PRAGMA cache_size = -384; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA synchronous = FULL;"
    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 2048;"
    "PRAGMA journal_size_limit = 16777216";

static const char *const statement_sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [TAIL] = "SELECT seq, at_ms, chain FROM fact ORDER BY seq DESC LIMIT 1",
    [LINK_AT] = "SELECT chain FROM fact WHERE seq = ?",
    [READ] = ("SELECT fact.seq, at_ms, kind, incident, fact.body, chain, fact.blob, blob.body FROM fact"
              " LEFT JOIN blob ON blob.hash = fact.blob WHERE fact.seq >= ? ORDER BY fact.seq"),
    [ADD_FACT] =
        "INSERT INTO fact (seq, at_ms, kind, incident, body, blob, chain) VALUES (?, ?, ?, ?, ?, ?, ?)",
    [ADD_BLOB] = "INSERT INTO blob (hash, body) VALUES (?, ?) ON CONFLICT DO NOTHING",
    [PROBE] = "UPDATE meta SET value = value + 1 WHERE key = 'probed'",
    [TRIMMED] = ("SELECT a.value, b.value FROM meta AS a, meta AS b WHERE a.key = 'trimmed'"
                 " AND b.key = 'trimmed_link'"),
    [AT] = "SELECT seq, at_ms, chain FROM fact WHERE seq <= ? ORDER BY seq DESC LIMIT 1",
    [MARKS] = ("SELECT seq, at_ms, kind, incident, body FROM fact WHERE kind = 'snapshot'"
               " ORDER BY seq DESC LIMIT ?"),
    [SNAPSHOT_ADD] = ("INSERT INTO snapshot (id, at_ms, kind, incident, body, blob, chain)"
                      " VALUES (?, ?, ?, ?, ?, ?, ?)"),
    [SNAPSHOT_READ] = ("SELECT id, at_ms, kind, incident, body, blob, chain FROM snapshot"
                       " WHERE id >= ? AND id < ? ORDER BY id"),
    [SNAPSHOT_DROP] = ("DELETE FROM snapshot WHERE id IN (SELECT id FROM snapshot"
                       " WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)"),
    [SNAPSHOTS] = "SELECT id >> 24 FROM snapshot WHERE id >= ? ORDER BY id LIMIT 1",
    [TRIM_LINK] = "SELECT seq, chain FROM fact WHERE seq <= ? ORDER BY seq DESC LIMIT 1",
    [TRIM_BLOBS] =
        ("DELETE FROM blob WHERE hash IN (SELECT blob FROM fact WHERE seq <= ?1 AND blob IS NOT NULL)"
         " AND NOT EXISTS (SELECT 1 FROM fact WHERE fact.blob = blob.hash AND seq > ?1)"),
    [TRIM_FACTS] = "DELETE FROM fact WHERE seq <= ?",
    [TRIM_META] = ("UPDATE meta SET value = CASE key WHEN 'trimmed' THEN ?1 ELSE ?2 END"
                   " WHERE key IN ('trimmed', 'trimmed_link')"),
    [ENDED] = ("SELECT id, opened_ms, closed_ms, rule, cluster, namespace, kind, name, outcome, writes,"
               " reason FROM incident WHERE outcome NOT IN ('open', 'merged')"
               " ORDER BY changed_seq DESC LIMIT ?"),
    [FORGET_STEPS] = ("DELETE FROM step WHERE seq IN (SELECT seq FROM step WHERE seq <= ?1"
                      " AND seq < (SELECT min(opened_seq) FROM incident) ORDER BY seq LIMIT ?2)"),
    [FORGET] = ("DELETE FROM incident WHERE opened_seq IN (SELECT opened_seq FROM incident"
                " WHERE opened_seq <= ?1 AND outcome <> 'open' AND opened_seq <"
                " (SELECT opened_seq FROM incident ORDER BY opened_seq DESC LIMIT 1 OFFSET ?3) LIMIT ?2)"),
    [BYTES] = ("SELECT (page_count - freelist_count) * page_size FROM pragma_page_count,"
               " pragma_freelist_count, pragma_page_size"),
};

static enum err_code os_error(const char *file, const char *what, struct err *e)
{
    enum err_code code = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    return err_set(e, code, "journal \"%s\": %s: %s", file, what, strerror(errno));
}

struct place {
    char path[PATH_MAX], folder[PATH_MAX];
};

/* The file's own path and its folder's, whatever links lead there: two names of one journal must meet at one
 * lock. */
static enum err_code resolve(const char *file, struct place *ret, struct err *e)
{
    char path[PATH_MAX], folder[PATH_MAX];
    struct stat st;
    size_t len = strlen(file);
    if (len == 0 || len >= sizeof path - 8)
        return err_set(e, ERR_INVALID, "journal \"%.64s\": the file's name is empty or too long", file);
    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, "journal \"%s\" is no regular file; give the name of a file", file);
    if (!realpath(file, path)) {
        if (errno != ENOENT)
            return os_error(file, "cannot find it", e);
        memcpy(path, file, len + 1);
    }
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s%s", slash ? (int)(slash - path) : 0, path, slash ? "/" : ".");
    if (!realpath(folder, ret->folder))
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                       "journal \"%s\": folder \"%s\": %s; make it first", file, folder, strerror(errno));
    const char *parent = strcmp(ret->folder, "/") != 0 ? ret->folder : "";
    int n = snprintf(ret->path, sizeof ret->path, "%s/%s", parent, name);
    if (n < 0 || (size_t)n >= sizeof ret->path - 8) /* room for what SQLite and the lock append */
        return err_set(e, ERR_INVALID, "journal \"%.64s...\": the file's path is too long", file);
    return ERR_OK;
}

/* SQLite would make it readable for everybody (its side files take this file's mode), and take a file shorter
 * than its header for an empty database. */
static enum err_code make_private(const char *path, const char *file, struct err *e)
{
    char head[SQLITE_HEADER_BYTES];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return os_error(file, "cannot open it for writing", e);
    ssize_t n = pread(fd, head, sizeof head, 0);
    close(fd);
    if (n < 0)
        return os_error(file, "cannot read it", e);
    if (n > 0 && ((size_t)n < sizeof head || memcmp(head, "SQLite format 3", 16) != 0))
        return err_set(
            e, ERR_INVALID,
            "\"%s\" is not a database; give a file that heald made, or one that does not exist yet", file);
    return ERR_OK;
}

static enum err_code sync_folder(const char *folder, const char *file, struct err *e)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return os_error(file, "cannot open its folder", e);
    int rc = fsync(fd);
    if (rc < 0)
        os_error(file, "cannot sync its folder", e);
    close(fd);
    return rc < 0 ? ERR_IO : ERR_OK;
}

static enum err_code set_wal(struct journal *j, struct err *e)
{
    sqlite3_stmt *s = NULL;
    const char *mode = NULL;
    if (sqlite3_prepare_v2(j->db, "PRAGMA journal_mode = WAL", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        mode = (const char *)sqlite3_column_text(s, 0);
    enum err_code code = ERR_OK;
    if (!mode)
        code = schema_error(j->db, j->file, "cannot set write-ahead logging", e);
    else if (strcmp(mode, "wal") != 0)
        code = err_set(
            e, ERR_IO,
            "journal \"%s\": write-ahead logging cannot be had on its file system; put it on a local disk",
            j->file);
    sqlite3_finalize(s);
    return code;
}

/* Zeros behind the WAL's end, up to WAL_BYTES: SQLite ends its recovery at the first frame without a right
 * checksum. Without room for them heald goes on without. */
static void lay_out_wal(const char *path)
{
    static const char zeros[65536];
    char wal[PATH_MAX + 8];
    struct stat st;
    snprintf(wal, sizeof wal, "%s-wal", path);
    int fd = open(wal, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0)
        for (off_t at = st.st_size; at < (off_t)WAL_BYTES; at += (off_t)sizeof zeros)
            if (pwrite(fd, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
                break;
    fsync(fd);
    close(fd);
}

enum err_code journal_prepare(struct journal *j, struct err *e)
{
    int end = j->version < 2 ? STATEMENTS_1 : STATEMENTS;
    for (int i = 0; i < end; i++)
        if (!j->statements[i] && sqlite3_prepare_v3(j->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                                    &j->statements[i], NULL) != SQLITE_OK)
            return schema_error(j->db, j->file, "its tables are not as they should be", e);
    return ERR_OK;
}

static enum err_code open_connection(struct journal *j, const char *path, struct err *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &j->db, flags, NULL) != SQLITE_OK)
        return j->db ? schema_error(j->db, j->file, "cannot open it", e)
                     : err_set(e, ERR_NOMEM, "no memory for journal \"%s\"", j->file);
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE_SLOT, LOOKASIDE_SLOTS);
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout(j->db, BUSY_MS);
    if (sqlite3_exec(j->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return schema_error(j->db, j->file, "cannot open it", e);
    return ERR_OK;
}

static enum err_code open_database(struct journal *j, const char *path, bool *ret_created, struct err *e)
{
    enum err_code code = open_connection(j, path, e);
    if (code == ERR_OK) /* refuses what is not ours before anything is changed */
        code = schema_bring_up(j->db, j->file, ret_created, &j->version, e);
    if (code == ERR_OK)
        code = set_wal(j, e);
    if (code == ERR_OK)
        code = projection_open(&j->projection, j->db, j->file, e);
    if (code == ERR_OK)
        code = journal_prepare(j, e);
    if (code == ERR_OK)
        lay_out_wal(path);
    return code;
}

/* Nothing opened yet. `writers` NULL: the first connection. NULL: no memory. */
static struct journal *connection_new(const char *file, struct writers *writers)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->lock_fd = -1;
    j->file = strdup(file);
    j->writers = writers ? writers : calloc(1, sizeof *j->writers);
    if (!j->file || !j->writers) {
        free(j->file);
        free(writers ? NULL : j->writers);
        free(j);
        return NULL;
    }
    if (!writers)
        pthread_mutex_init(&j->writers->lock, NULL);
    pthread_mutex_lock(&j->writers->lock);
    j->writers->users++;
    pthread_mutex_unlock(&j->writers->lock);
    return j;
}

enum err_code journal_open(struct journal **ret, const char *file, bool *ret_created, struct err *e)
{
    struct place place;
    bool created = false;
    struct journal *j = connection_new(file, NULL);
    if (!j)
        return err_set(e, ERR_NOMEM, "no memory for journal \"%s\"", file);
    enum err_code code = resolve(file, &place, e);
    if (code == ERR_OK && !(j->path = strdup(place.path)))
        code = err_set(e, ERR_NOMEM, "no memory for journal \"%s\"", file);
    if (code == ERR_OK)
        code = netfs_refuse(place.folder, file, e);
    if (code == ERR_OK)
        code = lock_take(&j->lock_fd, place.path, e);
    if (code == ERR_OK)
        code = make_private(place.path, file, e);
    if (code == ERR_OK)
        code = wal_check(place.path, file, e);
    if (code == ERR_OK)
        code = chain_new(&j->chain, e);
    if (code == ERR_OK)
        code = open_database(j, place.path, &created, e);
    if (code == ERR_OK && created)
        code = sync_folder(place.folder, file, e);
    if (code == ERR_OK)
        code = journal_refresh(j, e);
    if (code != ERR_OK) {
        journal_close(j);
        return code;
    }
    if (ret_created)
        *ret_created = created;
    *ret = j;
    return ERR_OK;
}

enum err_code journal_open_beside(struct journal **ret, const struct journal *other, struct err *e)
{
    struct journal *j = connection_new(other->file, other->writers);
    if (!j)
        return err_set(e, ERR_NOMEM, "no memory for journal \"%s\"", other->file);
    j->version = other->version;
    enum err_code code = chain_new(&j->chain, e);
    if (code == ERR_OK)
        code = open_connection(j, other->path, e);
    if (code == ERR_OK)
        code = journal_prepare(j, e);
    if (code == ERR_OK) {
        sqlite3_exec(j->db, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL);
        code = journal_refresh(j, e);
    }
    if (code != ERR_OK) {
        journal_close(j);
        return code;
    }
    *ret = j;
    return ERR_OK;
}

static void leave_writers(struct writers *w)
{
    pthread_mutex_lock(&w->lock);
    bool last = --w->users == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct journal *journal_close(struct journal *j)
{
    if (!j)
        return NULL;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(j->statements[i]);
    projection_close(j->projection);
    sqlite3_close(j->db);
    chain_free(j->chain);
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    leave_writers(j->writers);
    free(j->path);
    free(j->file);
    free(j);
    return NULL;
}

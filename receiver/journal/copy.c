/* receiver/journal/copy.c */
#include "receiver/journal/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "receiver/journal/lock.h"
#include "receiver/journal/schema.h"
#include "receiver/journal/sqlite_internal.h"

#define BUSY_MS 5000
#define PAGES_AT_ONCE 1024 /* of the copy: the daemon's commits come in between */

static enum err_code os_error(const char *file, const char *what, struct err *e)
{
    return err_set(e,
                   errno == ENOSPC   ? ERR_FULL
                   : errno == ENOENT ? ERR_NOT_FOUND
                                     : ERR_IO,
                   "\"%s\": %s: %s", file, what, strerror(errno));
}

static bool exists(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0;
}

/* FILE with an end; false: too long. */
static bool with_end(char ret[PATH_MAX], const char *file, const char *end)
{
    int n = snprintf(ret, PATH_MAX, "%s%s", file, end);
    return n > 0 && n < PATH_MAX;
}

/* The file, and the folder that holds its name, are on the disk. */
static enum err_code sync_file(const char *file, struct err *e)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file) + 1 : 1, slash ? file : ".");
    const char *const both[] = { file, folder };
    for (int k = 0; k < 2; k++) {
        int fd = open(both[k], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0) {
            enum err_code code = os_error(both[k], "cannot sync it", e);
            if (fd >= 0)
                close(fd);
            return code;
        }
        close(fd);
    }
    return ERR_OK;
}

/* Not created; what is no journal is refused. */
static enum err_code open_existing(sqlite3 **ret, const char *file, int flags, struct err *e)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    if (!exists(file))
        return os_error(file, "cannot find it", e);
    int rc = sqlite3_open_v2(file, &db, flags | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        rc = sqlite3_prepare_v2(db, "PRAGMA application_id", -1, &s, NULL);
    }
    bool ours = rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW &&
                sqlite3_column_int(s, 0) == SCHEMA_APPLICATION_ID;
    sqlite3_finalize(s);
    if (ours) {
        *ret = db;
        return ERR_OK;
    }
    enum err_code code = rc == SQLITE_ROW ? err_set(e, ERR_INVALID, "\"%s\" is no journal of heald", file)
                                          : schema_error(db, file, "cannot open it", e);
    sqlite3_close(db);
    return code;
}

static enum err_code copy_pages(sqlite3 *from, const char *file, const char *to, struct err *e)
{
    sqlite3 *db = NULL;
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* nobody else's to read */
    if (fd < 0)
        return os_error(to, "cannot make it", e);
    close(fd);
    int rc = sqlite3_open_v2(to, &db, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_backup *b = rc == SQLITE_OK ? sqlite3_backup_init(db, "main", from, "main") : NULL;
    /* one view of it: a copy that begins anew with each commit of a busy daemon might never end */
    if (b)
        sqlite3_exec(from, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    while (b && ((rc = sqlite3_backup_step(b, PAGES_AT_ONCE)) == SQLITE_OK || rc == SQLITE_BUSY))
        if (rc == SQLITE_BUSY)
            sqlite3_sleep(20);
    if (b) {
        sqlite3_backup_finish(b);
        sqlite3_exec(from, "COMMIT", NULL, NULL, NULL);
    }
    enum err_code code = ERR_OK;
    if (!b || rc != SQLITE_DONE)
        code = err_set(e, rc == SQLITE_FULL ? ERR_FULL : ERR_IO, "\"%s\" cannot be copied into \"%s\": %s",
                       file, to, sqlite3_errmsg(db));
    else if (sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        code = schema_error(db, to, "cannot end the copy", e);
    sqlite3_close(db);
    return code;
}

enum err_code journal_copy(const char *file, const char *to, struct err *e)
{
    char part[PATH_MAX];
    sqlite3 *from = NULL;
    if (exists(to))
        return err_set(e, ERR_CONFLICT, "\"%s\" is there already; give another name, or move it away", to);
    if (!with_end(part, to, ".part"))
        return err_set(e, ERR_INVALID, "\"%.64s...\": the file's name is too long", to);
    enum err_code code = open_existing(&from, file, SQLITE_OPEN_READWRITE, e);
    if (code)
        return code;
    unlink(part); /* of a copy that was ended */
    code = copy_pages(from, file, part, e);
    sqlite3_close(from);
    if (!code)
        code = sync_file(part, e);
    if (!code && rename(part, to) < 0)
        code = os_error(to, "cannot give the copy its name", e);
    if (!code)
        code = sync_file(to, e);
    if (code)
        unlink(part);
    return code;
}

/* ---- and back ---- */

static enum err_code mark(const char *file, struct err *e)
{
    sqlite3 *db = NULL;
    enum err_code code = open_existing(&db, file, SQLITE_OPEN_READWRITE, e);
    if (code)
        return code;
    if (sqlite3_exec(db, "INSERT OR REPLACE INTO meta VALUES ('restored', 1); PRAGMA journal_mode = DELETE",
                     NULL, NULL, NULL) != SQLITE_OK)
        code = schema_error(db, file, "cannot mark it as restored", e);
    sqlite3_close(db);
    return code;
}

static void unlink_with(const char *file, const char *end)
{
    char path[PATH_MAX];
    if (with_end(path, file, end))
        unlink(path);
}

/* The copy, as a journal of its own. */
static enum err_code check_copy(const char *part,
                                enum err_code (*check)(void *, struct journal *, struct err *), void *ctx,
                                struct err *e)
{
    struct journal *j = NULL;
    enum err_code code = journal_open(&j, part, NULL, e);
    if (!code)
        code = check(ctx, j, e);
    journal_close(j);
    unlink_with(part, ".lock");
    return code ? code : mark(part, e);
}

static enum err_code replace(const char *part, const char *file, struct err *e)
{
    char old[PATH_MAX];
    if (!with_end(old, file, ".before-restore"))
        return err_set(e, ERR_INVALID, "\"%.64s...\": the file's name is too long", file);
    if (exists(old))
        return err_set(e, ERR_CONFLICT, "\"%s\" is there still, of a restore before; move it away", old);
    if (exists(file)) { /* its WAL goes into it first */
        sqlite3 *db = NULL;
        if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
            sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        sqlite3_close(db);
        if (rename(file, old) < 0)
            return os_error(file, "cannot be moved away", e);
    }
    unlink_with(file, "-wal"); /* of another database by now */
    unlink_with(file, "-shm");
    if (rename(part, file) < 0)
        return os_error(file, "cannot be replaced", e);
    return sync_file(file, e);
}

enum err_code journal_restore(const char *from, const char *file,
                              enum err_code (*check)(void *ctx, struct journal *j, struct err *e), void *ctx,
                              struct err *e)
{
    char part[PATH_MAX];
    int lock = -1;
    if (!with_end(part, file, ".restoring"))
        return err_set(e, ERR_INVALID, "\"%.64s...\": the file's name is too long", file);
    enum err_code code = lock_take(&lock, file, e);
    if (code)
        return code;
    unlink(part);
    code = journal_copy(from, part, e);
    if (!code)
        code = check_copy(part, check, ctx, e);
    if (!code)
        code = replace(part, file, e);
    if (code) {
        unlink(part);
        unlink_with(part, "-wal");
        unlink_with(part, "-shm");
    }
    close(lock);
    return code;
}

bool journal_restored(const struct journal *j)
{
    sqlite3_stmt *s = NULL;
    bool yes =
        sqlite3_prepare_v2(j->db, "SELECT 1 FROM meta WHERE key = 'restored'", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    return yes;
}

enum err_code journal_note_restored(struct journal *j, struct err *e)
{
    pthread_mutex_lock(&j->writers->lock);
    int rc = sqlite3_exec(j->db, "DELETE FROM meta WHERE key = 'restored'", NULL, NULL, NULL);
    enum err_code code = rc == SQLITE_OK ? ERR_OK : schema_error(j->db, j->file, "cannot be written", e);
    pthread_mutex_unlock(&j->writers->lock);
    return code;
}

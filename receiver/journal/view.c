/* receiver/journal/view.c - see view.h */
#include "receiver/journal/view.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "receiver/journal/schema.h"
#include "rules/base/timetext.h"

#define STEPS_BETWEEN_LOOKS 2000 /* of SQLite's machine, between two looks at the clock */

struct view {
    sqlite3 *db; /* NULL: not opened yet */
    char *file;
    int64_t until_ms; /* monotonic: the look ends */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int on_progress(void *ctx)
{
    const struct view *v = ctx;
    return now_ms() > v->until_ms;
}

static enum err_code failed(struct view *v, struct err *e)
{
    int rc = sqlite3_errcode(v->db) & 0xff;
    if (rc == SQLITE_INTERRUPT)
        return err_set(e, ERR_UNAVAILABLE, "it took longer than %d ms to look that up; ask for less",
                       VIEW_TIME_MS);
    return schema_error(v->db, v->file, "cannot look at it", e);
}

static enum err_code open_file(struct view *v, struct err *e)
{
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (v->db)
        return ERR_OK;
    if (sqlite3_open_v2(v->file, &v->db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(v->db,
                     "PRAGMA query_only = ON; PRAGMA cache_size = -256; PRAGMA temp_store = MEMORY;"
                     "PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF",
                     NULL, NULL, NULL) != SQLITE_OK) {
        err_set(e, ERR_UNAVAILABLE, "journal \"%s\": cannot be read: %s", v->file,
                v->db ? sqlite3_errmsg(v->db) : "no memory");
        sqlite3_close(v->db);
        v->db = NULL;
        return ERR_UNAVAILABLE;
    }
    sqlite3_busy_timeout(v->db, VIEW_TIME_MS);
    sqlite3_progress_handler(v->db, STEPS_BETWEEN_LOOKS, on_progress, v);
    return ERR_OK;
}

enum err_code view_new(struct view **ret, const char *file, struct err *e)
{
    struct view *v = calloc(1, sizeof *v);
    if (!v || !(v->file = strdup(file))) {
        free(v);
        return err_set(e, ERR_NOMEM, "no memory for a look at the journal");
    }
    *ret = v;
    return ERR_OK;
}

struct view *view_free(struct view *v)
{
    if (!v)
        return NULL;
    sqlite3_close(v->db);
    free(v->file);
    free(v);
    return NULL;
}

enum err_code view_begin(struct view *v, struct err *e)
{
    enum err_code code = open_file(v, e);
    v->until_ms = now_ms() + VIEW_TIME_MS;
    if (!code && sqlite3_exec(v->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        code = failed(v, e);
    return code;
}

void view_end(struct view *v)
{
    v->until_ms = INT64_MAX;
    if (v->db && !sqlite3_get_autocommit(v->db))
        sqlite3_exec(v->db, "COMMIT", NULL, NULL, NULL);
}

static enum err_code prepare(struct view *v, sqlite3_stmt **ret, const char *sql,
                             const struct view_param *params, struct err *e)
{
    if (!v->db || sqlite3_prepare_v2(v->db, sql, -1, ret, NULL) != SQLITE_OK)
        return v->db ? failed(v, e) : err_set(e, ERR_UNAVAILABLE, "the journal is not open");
    for (; params && params->name; params++) {
        int at = sqlite3_bind_parameter_index(*ret, params->name);
        if (!at || params->null)
            continue;
        if (params->text)
            sqlite3_bind_text(*ret, at, params->text, -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(*ret, at, params->number);
    }
    return ERR_OK;
}

static bool ends_in(const char *name, const char *end, char ret[64])
{
    size_t len = strlen(name), n = strlen(end);
    if (len <= n || len - n >= 64 || strcmp(name + len - n, end) != 0)
        return false;
    memcpy(ret, name, len - n);
    ret[len - n] = '\0';
    return true;
}

static void write_json(struct json_writer *w, const char *name, const char *text)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    jw_key(w, name);
    if (json_parse(&doc, text, strlen(text), NULL) == ERR_OK)
        jw_node(w, json_root(doc));
    else
        jw_null(w);
}

static void write_column(struct json_writer *w, sqlite3_stmt *s, int column)
{
    char name[64], time[TIME_TEXT_SIZE];
    const char *full = sqlite3_column_name(s, column);
    int type = sqlite3_column_type(s, column);
    const char *text = type == SQLITE_TEXT ? (const char *)sqlite3_column_text(s, column) : NULL;
    if (type == SQLITE_NULL || (text && !text[0]))
        return;
    if (ends_in(full, "_ms", name)) {
        if (sqlite3_column_int64(s, column) > 0)
            jw_kstring(w, name, time_format(time, sqlite3_column_int64(s, column)));
    } else if (ends_in(full, "_json", name)) {
        write_json(w, name, text ? text : "null");
    } else if (ends_in(full, "_yes", name)) {
        jw_kbool(w, name, sqlite3_column_int(s, column) != 0);
    } else if (text) {
        jw_kstring(w, full, text);
    } else {
        jw_kint(w, full, sqlite3_column_int64(s, column));
    }
}

enum err_code view_rows(struct view *v, struct json_writer *w, const char *sql,
                        const struct view_param *params, size_t *ret_rows, struct err *e)
{
    sqlite3_stmt *s = NULL;
    size_t rows = 0;
    enum err_code code = prepare(v, &s, sql, params, e);
    int rc = SQLITE_DONE;
    while (!code && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        jw_object(w);
        for (int i = 0; i < sqlite3_column_count(s); i++)
            write_column(w, s, i);
        jw_object_end(w);
        rows++;
    }
    if (!code && rc != SQLITE_DONE)
        code = failed(v, e);
    sqlite3_finalize(s);
    if (!code && ret_rows)
        *ret_rows = rows;
    return code;
}

enum err_code view_number(struct view *v, const char *sql, const struct view_param *params, int64_t none,
                          int64_t *ret, struct err *e)
{
    sqlite3_stmt *s = NULL;
    enum err_code code = prepare(v, &s, sql, params, e);
    int rc = code ? SQLITE_ERROR : sqlite3_step(s);
    if (!code && rc != SQLITE_ROW && rc != SQLITE_DONE)
        code = failed(v, e);
    if (!code)
        *ret =
            rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL ? sqlite3_column_int64(s, 0) : none;
    sqlite3_finalize(s);
    return code;
}

enum err_code view_version(struct view *v, int64_t *ret, struct err *e)
{
    enum err_code code = open_file(v, e);
    v->until_ms = now_ms() + VIEW_TIME_MS;
    return code ? code : view_number(v, "PRAGMA data_version", NULL, 0, ret, e);
}

/* receiver/journal/view.h - looking at a journal beside the thread that writes it: a connection of its own
 * that can only read, with a time limit. What it shows is what was committed when view_begin() was called.
 *
 * One thread owns a view. */
#ifndef RECEIVER_JOURNAL_VIEW_H
#define RECEIVER_JOURNAL_VIEW_H

#include "rules/base/json.h"

#define VIEW_TIME_MS 3000 /* of one look, begin to end: then the statement is ended */

struct view;

struct view_param { /* a parameter of a statement, ":name" */
    const char *name;
    const char *text; /* NULL: the number */
    int64_t number;
    bool null; /* nothing: SQL's NULL */
};

/* The file is opened at the first look: it need not be there yet. ERR_NOMEM. */
enum err_code view_new(struct view **ret, const char *file, struct err *e);
struct view *view_free(struct view *v);

/* One look: everything read until view_end() is of one moment. ERR_UNAVAILABLE: the journal cannot be read
 * now. */
enum err_code view_begin(struct view *v, struct err *e);
void view_end(struct view *v);

/* One row, one JSON object: of each column that is neither NULL nor '' a member of its name. A column whose
 * name ends in "_ms" is a time: left out when 0, else a text without that end; one that ends in "_json" is
 * JSON, without that end; one that ends in "_yes" is a boolean. The parameters end with a NULL name; those
 * that the statement lacks are passed over. *ret_rows (may be NULL): how many. ERR_UNAVAILABLE: it took
 * longer than VIEW_TIME_MS, which is counted by the caller; ERR_IO. */
enum err_code view_rows(struct view *v, struct json_writer *w, const char *sql,
                        const struct view_param *params, size_t *ret_rows, struct err *e);
/* The first column of the first row; `none` when there is no row. */
enum err_code view_number(struct view *v, const char *sql, const struct view_param *params, int64_t none,
                          int64_t *ret, struct err *e);
/* Another number than at the last call: something was committed meanwhile. Outside of begin and end. */
enum err_code view_version(struct view *v, int64_t *ret, struct err *e);

#endif

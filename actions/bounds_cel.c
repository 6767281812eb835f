/* actions/bounds_cel.c - "equal but for these fields" as an expression of the Common Expression Language.
 *
 *   object.?spec.orValue({}).all(k, k in ["replicas"] || (k in old.spec && object.spec[k] == old.spec[k]))
 *
 * at each level of the paths, both ways, so that fields which no release knows yet are bounded too. */
#include <stdio.h>
#include <string.h>

#include "actions/bounds.h"

#define STEP_SIZE 96u

struct path {
    char steps[BOUNDS_DEPTH_MAX][STEP_SIZE];
    bool list[BOUNDS_DEPTH_MAX]; /* its elements are known by their name */
    size_t len;
};
struct paths {
    struct path list[BOUNDS_PATHS_MAX];
    size_t len;
};

/* ---- the catalogue's form ---- */

static bool take_step(struct path *p, const char *text, size_t len, bool list)
{
    if (len == 0 || len >= STEP_SIZE || p->len == BOUNDS_DEPTH_MAX || memchr(text, '"', len) ||
        memchr(text, '\\', len))
        return false;
    memcpy(p->steps[p->len], text, len);
    p->steps[p->len][len] = '\0';
    p->list[p->len++] = list;
    return true;
}

static bool take_path(struct path *p, const char *text, size_t len)
{
    const char *end = text + len;
    p->len = 0;
    while (text < end) {
        bool braced = *text == '{';
        size_t word = strcspn(text + braced, braced ? "}" : ".[,");
        const char *after = text + word + (braced ? 2 : 0);
        bool list = end - after >= 2 && memcmp(after, "[]", 2) == 0;
        if (after > end || !take_step(p, text + braced, word, list))
            return false;
        after += list ? 2 : 0;
        if (after < end && *after != '.')
            return false;
        text = after + 1;
    }
    return p->len > 0;
}

static enum err_code take_paths(struct paths *ret, const char *text, struct err *e)
{
    while (*text) {
        size_t len = strcspn(text, ",");
        if (ret->len == BOUNDS_PATHS_MAX)
            return err_set(e, ERR_LIMIT, "more than %u fields of one resource are changed", BOUNDS_PATHS_MAX);
        if (!take_path(&ret->list[ret->len], text, len))
            return err_set(e, ERR_INVALID, "\"%.*s\" is no path of a field", (int)len, text);
        ret->len++;
        text += len + (text[len] == ',');
    }
    return ERR_OK;
}

/* ---- one level ---- */

struct level {
    struct buf *ret;
    const struct paths *paths;
    const struct path *at; /* its first `depth` steps led here */
    size_t depth;
    const char *now, *was; /* expressions */
};

static bool below(const struct level *l, const struct path *p)
{
    if (p->len <= l->depth)
        return false;
    for (size_t i = 0; i < l->depth; i++)
        if (strcmp(p->steps[i], l->at->steps[i]) != 0)
            return false;
    return true;
}

static bool first_of_its_step(const struct level *l, size_t index)
{
    const char *step = l->paths->list[index].steps[l->depth];
    for (size_t i = 0; i < index; i++)
        if (below(l, &l->paths->list[i]) && strcmp(l->paths->list[i].steps[l->depth], step) == 0)
            return false;
    return true;
}

static bool ends_here(const struct level *l, const char *step)
{
    for (size_t i = 0; i < l->paths->len; i++) {
        const struct path *p = &l->paths->list[i];
        if (below(l, p) && p->len == l->depth + 1 && strcmp(p->steps[l->depth], step) == 0)
            return true;
    }
    return false;
}

/* The keys of this level that may differ, or have something below them that may. */
static void write_free_keys(const struct level *l)
{
    size_t written = 0;
    buf_adds(l->ret, "k in [");
    for (size_t i = 0; i < l->paths->len; i++) {
        const struct path *p = &l->paths->list[i];
        if (below(l, p) && first_of_its_step(l, i) && !strchr(p->steps[l->depth], '*'))
            buf_addf(l->ret, "%s\"%s\"", written++ ? ", " : "", p->steps[l->depth]);
    }
    buf_adds(l->ret, "]");
    for (size_t i = 0; i < l->paths->len; i++) {
        const char *step = below(l, &l->paths->list[i]) ? l->paths->list[i].steps[l->depth] : "";
        const char *star = strchr(step, '*');
        if (star && first_of_its_step(l, i))
            buf_addf(l->ret, " || k.startsWith(\"%.*s\")", (int)(star - step), step);
    }
}

static void write_level(const struct level *l);

static void write_child(const struct level *l, const struct path *p)
{
    CLEANUP(buf_release) struct buf now = BUF_INIT;
    CLEANUP(buf_release) struct buf was = BUF_INIT;
    const char *step = p->steps[l->depth], *empty = p->list[l->depth] ? "[]" : "{}";
    char one[16], other[16];
    buf_addf(&now, "%s[?\"%s\"].orValue(%s)", l->now, step, empty);
    buf_addf(&was, "%s[?\"%s\"].orValue(%s)", l->was, step, empty);
    struct level child = { l->ret, l->paths, p, l->depth + 1, buf_text(&now), buf_text(&was) };
    buf_adds(l->ret, " &&\n");
    if (!p->list[l->depth]) {
        write_level(&child);
    } else {
        snprintf(one, sizeof one, "n%zu", l->depth);
        snprintf(other, sizeof other, "o%zu", l->depth);
        buf_addf(l->ret, "%s.size() == %s.size() && %s.all(%s, %s.exists(%s, %s.name == %s.name &&\n",
                 child.now, child.was, child.now, one, child.was, other, one, other);
        child.now = one;
        child.was = other;
        write_level(&child);
        buf_adds(l->ret, "))");
    }
    l->ret->failed = l->ret->failed || !buf_ok(&now) || !buf_ok(&was);
}

static void write_level(const struct level *l)
{
    buf_addf(l->ret, "%s.all(k, ", l->now);
    write_free_keys(l);
    buf_addf(l->ret, " || (k in %s && %s[k] == %s[k])) &&\n%s.all(k, ", l->was, l->now, l->was, l->was);
    write_free_keys(l);
    buf_addf(l->ret, " || k in %s)", l->now);
    for (size_t i = 0; i < l->paths->len; i++) {
        const struct path *p = &l->paths->list[i];
        if (below(l, p) && first_of_its_step(l, i) && !ends_here(l, p->steps[l->depth]))
            write_child(l, p);
    }
}

enum err_code bounds_equal_but(struct buf *ret, const char *const *paths, size_t len, struct err *e)
{
    struct paths all = { .len = 0 };
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < len; i++)
        code = take_paths(&all, paths[i], e);
    if (!code)
        write_level(&(struct level){ .ret = ret, .paths = &all, .now = "object", .was = "oldObject" });
    if (!code && !buf_ok(ret))
        code = err_set(e, ERR_NOMEM, "no memory for an expression");
    return code;
}

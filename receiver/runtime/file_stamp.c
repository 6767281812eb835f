#include "receiver/runtime/file_stamp.h"

#include <stdlib.h>
#include <string.h>

struct file_stamp file_stamp(const char *file)
{
    struct file_stamp now;
    memset(&now, 0, sizeof now);
    if (stat(file, &now.seen) != 0)
        now.seen = (struct stat){ .st_size = -1 };
    return now;
}

bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->seen.st_ino == b->seen.st_ino && a->seen.st_dev == b->seen.st_dev &&
           a->seen.st_size == b->seen.st_size &&
           memcmp(&a->seen.st_mtim, &b->seen.st_mtim, sizeof a->seen.st_mtim) == 0 &&
           memcmp(&a->seen.st_ctim, &b->seen.st_ctim, sizeof a->seen.st_ctim) == 0;
}

bool file_stamp_missing(const struct file_stamp *a)
{
    return a->seen.st_size < 0;
}

bool file_watch_add(struct file_watch *w, const char *file)
{
    for (size_t i = 0; i < w->len; i++)
        if (strcmp(w->list[i].file, file) == 0)
            return true;
    struct watched_file *more = realloc(w->list, (w->len + 1) * sizeof *more);
    if (!more)
        return false;
    w->list = more;
    struct watched_file f = { .file = strdup(file), .known = file_stamp(file) };
    f.moving = f.known;
    if (!f.file)
        return false;
    w->list[w->len++] = f;
    return true;
}

bool file_watch_changed(struct file_watch *w)
{
    bool still = true, changed = false;
    for (size_t i = 0; i < w->len; i++) {
        struct watched_file *f = &w->list[i];
        struct file_stamp now = file_stamp(f->file);
        still = still && file_stamp_same(&now, &f->moving);
        changed = changed || (!file_stamp_missing(&now) && !file_stamp_same(&now, &f->known));
        f->moving = now;
    }
    if (!still || !changed)
        return false;
    for (size_t i = 0; i < w->len; i++)
        if (!file_stamp_missing(&w->list[i].moving))
            w->list[i].known = w->list[i].moving;
    return true;
}

void file_watch_release(struct file_watch *w)
{
    for (size_t i = 0; i < w->len; i++)
        free(w->list[i].file);
    free(w->list);
    *w = (struct file_watch){ .len = 0 };
}

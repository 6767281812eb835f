#include "receiver/runtime/file_stamp.h"

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

void file_watch_begin(struct file_watch *w, const char *file)
{
    *w = (struct file_watch){ .file = file };
    w->known = w->moving = file_stamp(file);
}

bool file_watch_changed(struct file_watch *w)
{
    struct file_stamp now = file_stamp(w->file);
    bool still = file_stamp_same(&now, &w->moving);
    w->moving = now;
    if (!still || file_stamp_missing(&now) || file_stamp_same(&now, &w->known))
        return false;
    w->known = now;
    return true;
}

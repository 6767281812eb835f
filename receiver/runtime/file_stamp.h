/* receiver/runtime/file_stamp.h - is a file another one than before? By inode, size and times of what its
 * name leads to, so that an edit, a rename over it and the swap of a link on the way (as a mounted ConfigMap
 * does) all count. */
#ifndef RECEIVER_RUNTIME_FILE_STAMP_H
#define RECEIVER_RUNTIME_FILE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct file_stamp {
    struct stat seen; /* st_size -1: it is not there */
};

struct file_stamp file_stamp(const char *file);
bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b);
bool file_stamp_missing(const struct file_stamp *a);

/* Files that are looked at now and then: true once for each new state of them that stood still from one look
 * to the next (an editor may be in the middle of writing one). A file that is missing is no change, its
 * return is. One thread at a time. Starts zeroed. */
struct file_watch {
    struct watched_file {
        char *file;
        struct file_stamp known, moving;
    } * list;
    size_t len;
};
/* As it is now: to be called before it is read, so that what is written meanwhile counts. A name that is
 * there already is left. False: no memory. */
bool file_watch_add(struct file_watch *w, const char *file);
bool file_watch_changed(struct file_watch *w);
void file_watch_release(struct file_watch *w);

#endif

/* receiver/runtime/file_stamp.h - is a file another one than before? By inode, size and times of what its
 * name leads to, so that an edit, a rename over it and the swap of a link on the way (as a mounted ConfigMap
 * does) all count. */
#ifndef RECEIVER_RUNTIME_FILE_STAMP_H
#define RECEIVER_RUNTIME_FILE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

struct file_stamp {
    struct stat seen; /* st_size -1: it is not there */
};

struct file_stamp file_stamp(const char *file);
bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b);
bool file_stamp_missing(const struct file_stamp *a);

/* A file that is looked at now and then: true once for each new state that stood still from one look to the
 * next (an editor may be in the middle of writing it). A file that is missing is no change. One thread at a
 * time. */
struct file_watch {
    const char *file; /* borrowed */
    struct file_stamp known, moving;
};
void file_watch_begin(struct file_watch *w, const char *file);
bool file_watch_changed(struct file_watch *w);

#endif

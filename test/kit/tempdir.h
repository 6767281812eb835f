/* test/kit/tempdir.h - a folder of a test's own, gone when the variable leaves scope; and how a test says
 * that it cannot run.
 *
 *     CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
 *     open(tempdir_file(&t, "journal.db"), ...) */
#ifndef TEST_KIT_TEMPDIR_H
#define TEST_KIT_TEMPDIR_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIP(reason)                                                                                         \
    do {                                                                                                     \
        printf("SKIPPED %s\n", reason);                                                                      \
        fflush(stdout);                                                                                      \
        cr_skip_test("%s", reason);                                                                          \
    } while (0)

#define TEMPDIR_NAMES_MAX 16u /* names a test may ask for: ask once for each, not in a loop */

struct tempdir {
    char path[256];
    char file[TEMPDIR_NAMES_MAX][320];
    unsigned used;
};

static inline struct tempdir tempdir_make(void)
{
    struct tempdir t = { .used = 0 };
    const char *base = getenv("TMPDIR");
    snprintf(t.path, sizeof t.path, "%s/heald test XXXXXX", base && *base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(t.path), "a folder \"%s\"", t.path);
    return t;
}

static inline const char *tempdir_file(struct tempdir *t, const char *name)
{
    cr_assert_lt(t->used, TEMPDIR_NAMES_MAX);
    char file[sizeof t->file[0]]; /* apart from *t, so that optimising compilers see that nothing overlaps */
    snprintf(file, sizeof file, "%s/%s", t->path, name);
    return memcpy(t->file[t->used++], file, sizeof file);
}

static inline int tempdir_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void tempdir_end(struct tempdir *t)
{
    nftw(t->path, tempdir_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

#endif

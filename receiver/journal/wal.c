/* receiver/journal/wal.c - the format is sqlite.org/fileformat2.html, 4.1 to 4.2. */
#include "receiver/journal/wal.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 32
#define FRAME_HEAD_BYTES 24
#define MAGIC 0x377f0682u /* its last bit: the checksums' words are big-endian */
#define PAGE_MAX 65536u
#define ENDS_OF_DAMAGE 2 /* the first of them was synced before the second was begun */

struct wal {
    FILE *f;
    uint32_t page, salt[2], sum[2];
    bool big;
    unsigned char *frame;
};

static uint32_t number(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t word(const struct wal *w, const unsigned char *at)
{
    return w->big ? number(at) : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void add(const struct wal *w, const unsigned char *bytes, size_t len, uint32_t sum[2])
{
    for (size_t k = 0; k + 8 <= len; k += 8) {
        sum[0] += word(w, bytes + k) + sum[1];
        sum[1] += word(w, bytes + k + 4) + sum[0];
    }
}

/* False: there is none that SQLite would use. */
static bool read_head(struct wal *w)
{
    unsigned char head[HEAD_BYTES];
    if (fread(head, sizeof head, 1, w->f) != 1 || (number(head) & ~1u) != MAGIC)
        return false;
    w->big = number(head) & 1;
    w->page = number(head + 8);
    w->salt[0] = number(head + 16);
    w->salt[1] = number(head + 20);
    add(w, head, 24, w->sum);
    return w->page >= 512 && w->page <= PAGE_MAX && w->sum[0] == number(head + 24) &&
           w->sum[1] == number(head + 28);
}

/* Of this log, not of one before it that lies there still. */
static bool is_of_it(const struct wal *w)
{
    return number(w->frame + 8) == w->salt[0] && number(w->frame + 12) == w->salt[1] && number(w->frame) != 0;
}

static bool is_whole(const struct wal *w, uint32_t sum[2])
{
    add(w, w->frame, 8, sum);
    add(w, w->frame + FRAME_HEAD_BYTES, w->page, sum);
    return is_of_it(w) && sum[0] == number(w->frame + 16) && sum[1] == number(w->frame + 20);
}

/* The byte behind the last transaction that can be read, and how many end behind it. */
static void walk(struct wal *w, int64_t *ret_good, int *ret_lost)
{
    size_t size = FRAME_HEAD_BYTES + w->page;
    bool broken = false;
    *ret_good = HEAD_BYTES;
    *ret_lost = 0;
    for (int64_t at = HEAD_BYTES; fread(w->frame, size, 1, w->f) == 1; at += (int64_t)size) {
        uint32_t sum[2] = { w->sum[0], w->sum[1] };
        bool end = number(w->frame + 4) != 0;
        if (!broken && is_whole(w, sum)) {
            memcpy(w->sum, sum, sizeof sum);
            *ret_good = end ? at + (int64_t)size : *ret_good;
        } else {
            broken = true;
            *ret_lost += end && is_of_it(w);
        }
    }
}

enum err_code wal_check(const char *path, const char *file, struct err *e)
{
    char name[PATH_MAX + 8];
    struct wal w = { .f = NULL };
    int64_t good = 0;
    int lost = 0;
    snprintf(name, sizeof name, "%s-wal", path);
    w.f = fopen(name, "re");
    if (!w.f)
        return errno == ENOENT
                   ? ERR_OK
                   : err_set(e, ERR_IO, "journal \"%s\": cannot read its log: %s", file, strerror(errno));
    if (read_head(&w)) {
        w.frame = malloc(FRAME_HEAD_BYTES + w.page);
        if (w.frame)
            walk(&w, &good, &lost);
    }
    free(w.frame);
    fclose(w.f);
    if (lost < ENDS_OF_DAMAGE)
        return ERR_OK;
    return err_set(e, ERR_INVALID,
                   "journal \"%s\": its log \"%s-wal\" is damaged at byte %lld, and %d commits lie behind "
                   "that; restore a backup, or keep what lies before it: truncate -s %lld \"%s-wal\"",
                   file, file, (long long)good, lost, (long long)good, file);
}

/* test/simulate/shrink.c - a failure with as few mishaps as it takes, told as a timeline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/simulate/run.h"

#define RUNS_MAX 1500

struct shrinking {
    struct story story; /* fails */
    struct stats stats; /* of it */
    struct story due;   /* in it */
    enum check wanted;
    unsigned runs;
};

/* Does it fail in the same way without these too? Then it is the story from now on. */
static bool try_without(struct shrinking *w, enum mishap m, const uint32_t *list, size_t len)
{
    struct story story = w->story;
    struct stats stats;
    static struct story due;
    if (w->runs >= RUNS_MAX)
        return false;
    for (size_t k = 0; k < len; k++)
        story_set(&story, m, list[k], true);
    w->runs++;
    world_run(&story, NULL, &stats, &due);
    if (!stats.first_failure[0] || stats.first_check != w->wanted)
        return false;
    w->story = story;
    w->stats = stats;
    w->due = due;
    return true;
}

/* Those of a kind that still happen. */
static size_t happening(const struct shrinking *w, enum mishap m, uint32_t ret[STORY_MISHAPS_MAX])
{
    size_t len = 0;
    for (uint32_t n = 0; n < STORY_MISHAPS_MAX; n++)
        if (story_without(&w->due, m, n) && !story_without(&w->story, m, n))
            ret[len++] = n;
    return len;
}

/* By ever smaller parts. True: something could be left out. */
static bool shrink_kind(struct shrinking *w, enum mishap m)
{
    static uint32_t list[STORY_MISHAPS_MAX];
    bool any = false;
    size_t len = happening(w, m, list);
    for (size_t part = len; part > 0; part /= 2)
        for (size_t at = 0; at < len;) {
            size_t n = len - at < part ? len - at : part;
            if (try_without(w, m, list + at, n)) {
                any = true;
                len = happening(w, m, list); /* what comes later may have changed */
            } else {
                at += n;
            }
        }
    return any;
}

/* ---- telling ---- */

static bool has_word(const char *line, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = line; len && (p = strstr(p, word)); p += len)
        if (p[len] < '0' || p[len] > '9')
            return true;
    return false;
}

/* The incident that the failure speaks of, and its target, as the lines say it; "" when it speaks of none. */
static void subject(const char *failure, const char *lines, char ret_id[INCIDENT_ID_SIZE], char ret_name[24])
{
    char resolved[INCIDENT_ID_SIZE + 16];
    size_t len = strspn(failure, "0123456789abcdefghjkmnpqrstvwxyz");
    ret_id[0] = ret_name[0] = '\0';
    if (len == 16)
        snprintf(ret_id, INCIDENT_ID_SIZE, "%.16s", failure);
    snprintf(resolved, sizeof resolved, "resolved %s: ", ret_id);
    const char *line = ret_id[0] ? strstr(lines, resolved) : failure;
    const char *name = line ? strstr(line, "web-") : NULL;
    if (name)
        snprintf(ret_name, 24, "%.*s", (int)(4 + strspn(name + 4, "0123456789")), name);
}

/* What happens to others is left out. */
static void tell(char *lines, const char *failure)
{
    char id[INCIDENT_ID_SIZE], name[24], *rest = lines;
    subject(failure, lines, id, name);
    for (char *line; (line = strsep(&rest, "\n"));) {
        bool about = has_word(line, id) || has_word(line, name);
        bool of_all = !strstr(line, "web-") && !strstr(line, "01m") && !strstr(line, "proven ");
        if (about || of_all || !name[0])
            printf("%.240s\n", line);
    }
}

void shrink(uint64_t seed)
{
    struct shrinking w = { .story = { .seed = seed } };
    char *lines = NULL;
    size_t len = 0;
    unsigned left = 0;
    world_run(&w.story, NULL, &w.stats, &w.due);
    if (!w.stats.first_failure[0])
        return;
    w.wanted = w.stats.first_check;
    for (bool any = true; any && w.runs < RUNS_MAX;) {
        any = false;
        for (int m = 0; m < MISHAPS_; m++)
            any |= shrink_kind(&w, (enum mishap)m);
    }
    printf("seed %llu, shrunk by %u runs to:", (unsigned long long)seed, w.runs);
    for (int m = 0; m < MISHAPS_; m++) {
        uint64_t n = counted_of(&w.stats.mishaps, mishap_name((enum mishap)m));
        left += (unsigned)n;
        if (n)
            printf(" %s %llu", mishap_name((enum mishap)m), (unsigned long long)n);
    }
    printf("%s\n", left ? "" : " nothing that goes wrong");
    FILE *out = open_memstream(&lines, &len);
    if (!out)
        abort();
    world_run(&w.story, out, &w.stats, NULL);
    fclose(out);
    tell(lines, w.stats.first_failure);
    free(lines);
}

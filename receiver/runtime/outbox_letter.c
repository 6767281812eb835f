/* receiver/runtime/outbox_letter.c */
#include "receiver/runtime/outbox_letter.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS 9

/* Every text of an annotation but its lines, as places to read and to set. */
static void texts_of(struct annotation *a, const char **ret[TEXTS])
{
    const char **const all[TEXTS] = { &a->incident, &a->outcome, &a->rule,  &a->environment,  &a->namespace,
                                      &a->workload, &a->cluster, &a->title, &a->dashboard_uid };
    memcpy(ret, all, sizeof all);
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 1;
}

/* Copy to *at, step over it; what is not known becomes "". */
static const char *put(char **at, const char *text)
{
    char *copy = *at;
    *at = stpcpy(copy, text ? text : "") + 1;
    return copy;
}

struct letter *letter_new(const struct outbox_message *m)
{
    struct outbox_message copy = *m;
    const char **texts[TEXTS];
    size_t size = sizeof(struct letter) + m->annotation.lines_len * sizeof(char *);
    texts_of(&copy.annotation, texts);
    for (size_t i = 0; i < TEXTS; i++)
        size += text_size(*texts[i]);
    for (size_t i = 0; i < m->annotation.lines_len; i++)
        size += text_size(m->annotation.lines[i]);

    struct letter *l = malloc(size);
    if (!l)
        return NULL;
    const char **lines = (const char **)(l + 1);
    char *at = (char *)(lines + m->annotation.lines_len);
    for (size_t i = 0; i < TEXTS; i++)
        *texts[i] = put(&at, *texts[i]);
    for (size_t i = 0; i < m->annotation.lines_len; i++)
        lines[i] = put(&at, m->annotation.lines[i]);
    copy.annotation.lines = lines;
    *l = (struct letter){ .message = copy };
    return l;
}

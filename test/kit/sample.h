/* test/kit/sample.h - JSON for tests: from a text in the test, or from a file under test/unit/data
 * (TEST_DATA). A broken one ends the test. */
#ifndef TEST_KIT_SAMPLE_H
#define TEST_KIT_SAMPLE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/json.h"

/* Single quotes stand for double ones, so that the JSON can be read. */
static inline struct json_doc *sample_text(const char *text)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    char *copy = strdup(text);
    cr_assert_not_null(copy);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    cr_assert_eq(json_parse(&doc, copy, strlen(copy), &e), ERR_OK, "%s in %s", e.msg, copy);
    free(copy);
    return doc;
}

#ifdef TEST_DATA
static inline char *sample_bytes(const char *file, size_t *ret_len)
{
    char path[4096];
    struct buf bytes = BUF_INIT;
    char chunk[4096];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", TEST_DATA, file);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f, "%s cannot be opened", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(&bytes, chunk, n);
    fclose(f);
    *ret_len = bytes.len;
    return buf_detach(&bytes);
}

static inline struct json_doc *sample_file(const char *file)
{
    size_t len = 0;
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    char *bytes = sample_bytes(file, &len);
    cr_assert_eq(json_parse(&doc, bytes, len, &e), ERR_OK, "%s: %s", file, e.msg);
    free(bytes);
    return doc;
}
#endif

#endif

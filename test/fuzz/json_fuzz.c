/* test/fuzz/json_fuzz.c - whatever the bytes: parse() refuses them with a reason, or what it read survives
 * writing and parsing. */
#include <stdlib.h>
#include <string.h>

#include "rules/base/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(bool held)
{
    if (!held)
        abort();
}

/* Everything a reader can ask a node for. Recursion ends at JSON_DEPTH_MAX. */
static size_t visit(const struct json *j, unsigned depth)
{
    expect(depth <= JSON_DEPTH_MAX);
    size_t count = 0;
    for (const struct json *c = json_first(j); c; c = json_next(c)) {
        if (json_type(j) == JSON_OBJECT)
            expect(json_get(j, json_name(c)) == c);
        else
            expect(json_name(c)[0] == '\0');
        visit(c, depth + 1);
        count++;
    }
    expect(count == json_len(j));
    expect(json_at(j, count) == NULL);
    const char *text = json_string(j, "");
    expect(strlen(text) == json_string_len(j));
    expect(json_check_text((const unsigned char *)text, strlen(text)) == NULL);
    json_int(j, 0);
    json_double(j, 0);
    json_path(j, "a.b");
    return count;
}

static void check_round(const struct json *root, bool canonical)
{
    CLEANUP(buf_release) struct buf once = BUF_INIT, twice = BUF_INIT;
    struct err e = ERR_INIT;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    json_write(&once, root, canonical);
    expect(buf_ok(&once));
    expect(json_parse(&doc, buf_text(&once), once.len, &e) == ERR_OK);
    expect(json_equal(root, json_root(doc)));
    json_write(&twice, json_root(doc), canonical);
    expect(once.len == twice.len && memcmp(buf_text(&once), buf_text(&twice), once.len) == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    enum err_code code = json_parse(&doc, (const char *)data, size, &e);
    if (code) {
        expect((code == ERR_INVALID || code == ERR_LIMIT) && !doc && e.code == code && e.msg[0]);
        return 0;
    }
    expect(json_check_text(data, size) == NULL);
    visit(json_root(doc), 0);
    check_round(json_root(doc), false);
    check_round(json_root(doc), true);
    return 0;
}

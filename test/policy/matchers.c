/* matchers - how heald reads matchers: a JSON object a line, {"text": ..., "verdicts": [{"value": ...}]},
 * from standard input; what it reads, and whether it matches a label of each value, to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/json.h"
#include "rules/policy/matcher.h"

static const char *const ops[] = {
    [MATCH_EQUAL] = "=", [MATCH_NOT_EQUAL] = "!=", [MATCH_REGEX] = "=~", [MATCH_NOT_REGEX] = "!~"
};

static void write_matcher(struct json_writer *w, const struct matcher *m, const struct json *verdicts)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    matcher_format(&text, m);
    jw_kstring(w, "op", ops[m->op]);
    jw_kstring(w, "name", m->name);
    jw_kstring(w, "value", m->value);
    jw_kstring(w, "written", buf_text(&text));
    jw_key(w, "matches");
    jw_array(w);
    for (const struct json *v = json_first(verdicts); v; v = json_next(v))
        jw_bool(w, matcher_matches_value(m, json_string(json_get(v, "value"), "")));
    jw_array_end(w);
}

static enum err_code answer(struct json_writer *w, const char *line, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct matcher m;
    struct err why = ERR_INIT;
    enum err_code code = json_parse(&doc, line, strlen(line), e);
    if (code)
        return code;
    jw_reset(w);
    jw_object(w);
    if (matcher_parse(&m, json_string(json_get(json_root(doc), "text"), ""), &why) == ERR_OK) {
        write_matcher(w, &m, json_get(json_root(doc), "verdicts"));
        matcher_release(&m);
    } else {
        jw_kstring(w, "error", why.msg);
    }
    jw_object_end(w);
    const char *text = jw_text(w, NULL);
    if (!text)
        return err_set(e, ERR_NOMEM, "no memory for an answer");
    puts(text);
    return ERR_OK;
}

int main(void)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err e = ERR_INIT;
    char *line = NULL;
    size_t cap = 0;
    enum err_code code = json_writer_new(&w, &e);
    while (!code && getline(&line, &cap, stdin) > 0)
        code = answer(w, line, &e);
    free(line);
    if (code)
        fprintf(stderr, "matchers: %s\n", e.msg);
    return code ? 1 : 0;
}

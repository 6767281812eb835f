/* test/unit/annotate_content_test.c - what an annotation may say: escaped, cut where it stays whole, within
 * Grafana's budgets. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "grafana/annotate.h"

static const char *text_of(const struct annotation *a)
{
    static struct buf out;
    buf_clear(&out);
    annotation_text(&out, a);
    cr_assert(buf_ok(&out));
    cr_assert_leq(out.len, ANNOTATION_TEXT_MAX);
    cr_assert_null(json_check_text((const unsigned char *)buf_text(&out), out.len));
    return buf_text(&out);
}

Test(annotate_content, text_from_outside_is_escaped)
{
    const char *const lines[] = { "<script>alert('x')</script> & \"y\"", "two\nlines",
                                  "bad \xff bytes \x1b[0m", "caf\xc3\xa9" };
    struct annotation a = {
        .incident = "i", .outcome = "open", .title = "<b>", .lines = lines, .lines_len = 4
    };
    cr_assert_str_eq(text_of(&a), "<b>&lt;b&gt;</b><br>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; "
                                  "&quot;y&quot;<br>two<br>lines"
                                  "<br>bad \xef\xbf\xbd bytes [0m<br>caf\xc3\xa9");
}

Test(annotate_content, text_is_never_empty)
{
    struct annotation a = { .incident = "06f3k9q2", .outcome = "open", .title = " \n" };
    cr_assert_str_eq(text_of(&a), "<b>heald incident 06f3k9q2</b>");
}

Test(annotate_content, long_text_is_cut_where_html_stays_whole)
{
    char long_line[6000];
    const char *lines[200];
    for (int shift = 0; shift < 12; shift++) {
        memset(long_line, 'x', (size_t)shift);
        for (size_t i = (size_t)shift; i + 7 < sizeof long_line; i += 7)
            memcpy(long_line + i, "<&\xe2\x82\xac\xc3\xa9", 8);
        for (size_t i = 0; i < 200; i++)
            lines[i] = long_line;
        struct annotation a = { .incident = "i",
                                .outcome = "open",
                                .title = long_line,
                                .lines = lines,
                                .lines_len = 200,
                                .cluster = long_line };
        const char *text = text_of(&a);
        for (const char *p = strchr(text, '&'); p; p = strchr(p + 1, '&'))
            cr_assert(!strncmp(p, "&lt;", 4) || !strncmp(p, "&amp;", 5), "%.20s", p);
        cr_assert_not_null(strstr(text, "</b><br>"));
        cr_assert_not_null(strstr(text, " more"), "it says how much is missing");
    }
}

/* ---- tags ---- */

static size_t tags_of(const struct annotation *a, char ret[2048])
{
    struct json_writer *w = NULL;
    size_t dropped = 99, len;
    cr_assert_eq(json_writer_new(&w, NULL), ERR_OK);
    jw_reset(w);
    annotation_tags(w, a, &dropped);
    const char *json = jw_text(w, &len);
    cr_assert_not_null(json);
    cr_assert_lt(len, 2048u);
    memcpy(ret, json, len + 1);
    json_writer_free(w);

    struct json_doc *doc = NULL;
    size_t cost = 2, n = 0;
    cr_assert_eq(json_parse(&doc, ret, len, NULL), ERR_OK, "%s", ret);
    for (const struct json *tag = json_first(json_root(doc)); tag; tag = json_next(tag), n++) {
        const char *text = json_string(tag, ""), *colon = strchr(text, ':');
        cost += strlen(text) + 2;
        cr_assert_leq(strlen(colon ? colon + 1 : text), ANNOTATION_TAG_VALUE_MAX);
    }
    cr_assert_leq(cost + (n ? n - 1 : 0), ANNOTATION_TAGS_MAX, "%s", ret);
    json_free(doc);
    return dropped;
}

Test(annotate_content, unknown_values_make_no_tag)
{
    char tags[2048];
    struct annotation a = { .incident = "i1",
                            .outcome = "open",
                            .rule = "",
                            .environment = NULL,
                            .namespace = " ",
                            .workload = "w" };
    cr_assert_eq(tags_of(&a, tags), 0);
    cr_assert_str_eq(tags, "[\"incident:i1\",\"outcome:open\",\"heald\",\"workload:w\"]");
}

Test(annotate_content, the_tag_budget_drops_what_is_needed_least)
{
    char tags[2048], v[300];
    memset(v, 'v', sizeof v - 1);
    v[sizeof v - 1] = '\0';
    struct annotation a = { .incident = "06f3k9q2",
                            .outcome = "not_healed",
                            .rule = v,
                            .environment = v,
                            .namespace = v,
                            .workload = v };
    cr_assert_eq(tags_of(&a, tags), 0, "cut to 100 bytes each there is room for all");
    a.incident = v;
    cr_assert_eq(tags_of(&a, tags), 1);
    cr_assert(strstr(tags, "incident:vvv") && strstr(tags, "outcome:not_healed") &&
              strstr(tags, "\"heald\"") && strstr(tags, "rule:"));
    cr_assert_null(strstr(tags, "environment:"));
}

Test(annotate_content, tag_values_are_cut_trimmed_and_made_utf8)
{
    char tags[2048], v[300];
    memset(v, 'v', 99);
    strcpy(v + 99, "\xc3\xa9 and more");
    struct annotation a = {
        .incident = "i", .outcome = "open", .rule = v, .workload = "  a\xff:b\n ", .namespace = "n\tm"
    };
    cr_assert_eq(tags_of(&a, tags), 0);
    v[99] = '\0';
    char want[400];
    snprintf(want, sizeof want, "\"rule:%s\"", v);
    cr_assert_not_null(strstr(tags, want), "%s", tags);
    cr_assert_not_null(strstr(tags, "\"workload:a?:b\""), "%s", tags);
    cr_assert_not_null(strstr(tags, "\"namespace:n m\""), "%s", tags);
}

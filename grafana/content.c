/* grafana/content.c - what an annotation says: its text, as HTML, and its tags, within Grafana's budgets.
 * Source: Grafana HTTP API, annotations; tags are stored as key and value of 100 characters, split at the
 * first colon and trimmed. */
#include <string.h>

#include "grafana/annotate.h"
#include "rules/base/utf8.h"

#define HTML_TITLE_MAX 500u /* bytes of HTML */
#define HTML_LINE_MAX 1000u /* bytes of HTML of one line */
#define MORE_MAX 48u        /* room for "<br>... and 4294967295 more" */

/* One character as HTML; "" for one that is not shown. */
static const char *html_of(uint32_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
        return "<br>";
    case '\t':
        return " ";
    case UTF8_INVALID:
        return "\xef\xbf\xbd";
    default:
        return utf8_control(c) ? "" : NULL;
    }
}

/* Append `text` escaped, at most `max` bytes, never part of a character or of an entity; "..." shows where it
 * was cut. */
static void add_html(struct buf *out, const char *text, size_t max)
{
    size_t used = 0;
    for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
        uint32_t c;
        n = utf8_next(text, left, &c);
        const char *html = html_of(c);
        size_t len = html ? strlen(html) : n;
        if (used + len > max - 3) {
            buf_adds(out, "...");
            return;
        }
        buf_add(out, html ? html : text, len);
        used += len;
    }
}

static bool blank(const char *text)
{
    return !text || !text[strspn(text, " \t\r\n")];
}

void annotation_text(struct buf *ret, const struct annotation *a)
{
    size_t begin = ret->len;
    buf_adds(ret, "<b>");
    if (blank(a->title)) {
        buf_adds(ret, "heald incident ");
        add_html(ret, a->incident, HTML_TITLE_MAX);
    } else {
        add_html(ret, a->title, HTML_TITLE_MAX);
    }
    buf_adds(ret, "</b>");
    for (size_t i = 0; i < a->lines_len; i++) {
        struct buf line = BUF_INIT;
        add_html(&line, a->lines[i], HTML_LINE_MAX);
        bool fits = ret->len - begin + strlen("<br>") + line.len + MORE_MAX <= ANNOTATION_TEXT_MAX;
        if (fits)
            buf_addf(ret, "<br>%s", buf_text(&line));
        ret->failed |= line.failed;
        buf_release(&line);
        if (!fits) {
            buf_addf(ret, "<br>... and %u more", (unsigned)(a->lines_len - i));
            return;
        }
    }
    if (!blank(a->cluster) && ret->len - begin + HTML_LINE_MAX <= ANNOTATION_TEXT_MAX) {
        buf_adds(ret, "<br>cluster ");
        add_html(ret, a->cluster, HTML_LINE_MAX - MORE_MAX);
    }
}

/* ---- tags ---- */

#define TAG_SIZE (2 * ANNOTATION_TAG_VALUE_MAX + 2)

/* "key:value", or "key" alone; "" when there is no value. Controls become spaces, as Grafana trims and
 * compares text. */
static void make_tag(char ret[TAG_SIZE], const char *key, const char *value)
{
    size_t len = strlen(key), used = 0;
    ret[0] = '\0';
    if (value && blank(value))
        return;
    memcpy(ret, key, len);
    if (value) {
        ret[len++] = ':';
        value += strspn(value, " \t\r\n");
        for (size_t left = strlen(value), n; left > 0; value += n, left -= n) {
            uint32_t c;
            n = utf8_next(value, left, &c);
            if (used + n > ANNOTATION_TAG_VALUE_MAX)
                break;
            if (c == UTF8_INVALID)
                ret[len] = '?';
            else if (utf8_control(c))
                memset(ret + len, ' ', n);
            else
                memcpy(ret + len, value, n);
            len += n;
            used += n;
        }
        while (ret[len - 1] == ' ')
            len--;
    }
    ret[len] = '\0';
}

/* In the order of need: what the budget has no room for is left out from the end. */
void annotation_tags(struct json_writer *w, const struct annotation *a, size_t *ret_dropped)
{
    const char *const pairs[][2] = {
        { "incident", a->incident },
        { "outcome", a->outcome },
        { "heald", NULL },
        { "workload", a->workload ? a->workload : "" },
        { "namespace", a->namespace ? a->namespace : "" },
        { "rule", a->rule ? a->rule : "" },
        { "environment", a->environment ? a->environment : "" },
    };
    size_t used = 2, dropped = 0, written = 0;
    jw_array(w);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char tag[TAG_SIZE];
        make_tag(tag, pairs[i][0], pairs[i][1]);
        size_t cost = strlen(tag) + 2 + (written > 0); /* quotes, and a comma before all but the first */
        if (!*tag)
            continue;
        if (used + cost > ANNOTATION_TAGS_MAX) {
            dropped++;
            continue;
        }
        used += cost;
        written++;
        jw_string(w, tag);
    }
    jw_array_end(w);
    if (ret_dropped)
        *ret_dropped = dropped;
}

/* Text and small parts of a page. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "receiver/http/page/page.h"

void h_text(struct buf *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            buf_adds(out, "&amp;");
            break;
        case '<':
            buf_adds(out, "&lt;");
            break;
        case '>':
            buf_adds(out, "&gt;");
            break;
        case '"':
            buf_adds(out, "&quot;");
            break;
        case '\'':
            buf_adds(out, "&#39;");
            break;
        default:
            buf_addc(out, *text);
        }
}

void h_textf(struct buf *out, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    h_text(out, text);
}

void h_time(struct buf *out, const char *time, bool ago)
{
    char plain[28] = "";
    if (!time[0])
        return;
    snprintf(plain, sizeof plain, "%.10s %.8s UTC", time, strlen(time) > 11 ? time + 11 : "");
    buf_addf(out, "<time%s datetime=\"", ago ? " data-ago" : "");
    h_text(out, time);
    buf_adds(out, "\">");
    h_text(out, plain);
    buf_adds(out, "</time>");
}

void h_fact(struct buf *out, const char *name, const char *value)
{
    if (!value[0])
        return;
    buf_adds(out, "<dt>");
    h_text(out, name);
    buf_adds(out, "</dt><dd>");
    h_text(out, value);
    buf_adds(out, "</dd>\n");
}

void h_incident(struct buf *out, const char *id)
{
    buf_adds(out, "<a class=\"mono\" href=\"/incidents/");
    h_text(out, id);
    buf_adds(out, "\">");
    h_text(out, id);
    buf_adds(out, "</a>");
}

void h_bar(struct buf *out, int64_t part, int64_t whole, const char *label)
{
    int64_t width = whole > 0 ? part * 100 / whole : 0;
    width = width > 100 ? 100 : width;
    buf_adds(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 100 14\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
    h_text(out, label);
    buf_addf(out,
             "\"><rect class=\"back\" width=\"100\" height=\"14\"/><rect class=\"%s\" width=\"%lld\" "
             "height=\"14\"/></svg>",
             part >= whole ? "full" : "part", (long long)width);
}

void h_state(struct buf *out, const struct json *incident)
{
    const char *outcome = j_text(incident, "outcome"), *state = j_text(incident, "state");
    bool good = strcmp(outcome, "healed") == 0 || strcmp(outcome, "cleared") == 0;
    bool bad = strcmp(outcome, "not_healed") == 0 || strcmp(outcome, "escalated") == 0 ||
               strcmp(outcome, "unknown") == 0;
    bool wait = strcmp(state, "approval") == 0 || strcmp(state, "waiting") == 0;
    buf_addf(out, "<span class=\"%s\">", good ? "good" : bad ? "bad" : wait ? "wait" : "state");
    h_text(out, story_state(incident));
    buf_adds(out, "</span>");
}

const char *j_text(const struct json *object, const char *key)
{
    return json_string(json_get(object, key), "");
}

int64_t j_number(const struct json *object, const char *key, int64_t none)
{
    return json_int(json_get(object, key), none);
}

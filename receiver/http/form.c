/* What a browser's form sends: read into JSON, so that it is taken as any other word. Forms come from the
 * page itself: the Origin is heald's own, and the form has the session's token. */
#include <stdlib.h>
#include <string.h>

#include "receiver/http/http_internal.h"

#define FORM_FIELDS_MAX 16

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* In place; false: not as forms are written. */
static bool unescape(char *text)
{
    char *out = text;
    for (; *text; text++) {
        bool escaped = *text == '%';
        int high = escaped ? hex(text[1]) : 0, low = escaped && high >= 0 ? hex(text[2]) : 0;
        if (high < 0 || low < 0 || (escaped && high == 0 && low == 0))
            return false;
        if (escaped)
            *out++ = (char)(high << 4 | low);
        else
            *out++ = (char)(*text == '+' ? ' ' : *text);
        text += escaped ? 2 : 0;
    }
    *out = '\0';
    return true;
}

/* "name=value&..." taken apart; how many; 0 also when it is none. */
static size_t split(char *body, char *names[FORM_FIELDS_MAX], char *values[FORM_FIELDS_MAX])
{
    size_t len = 0;
    char *save = NULL;
    for (char *part = strtok_r(body, "&", &save); part; part = strtok_r(NULL, "&", &save)) {
        char *equal = strchr(part, '=');
        if (!equal || len == FORM_FIELDS_MAX)
            return 0;
        *equal = '\0';
        names[len] = part;
        values[len] = equal + 1;
        if (!unescape(names[len]) || !unescape(values[len]) ||
            json_check_text((const unsigned char *)values[len], strlen(values[len])) ||
            json_check_text((const unsigned char *)names[len], strlen(names[len])))
            return 0;
        len++;
    }
    return len;
}

/* The browser says where the form was: at heald's own address? */
static bool own_origin(struct request *r)
{
    const char *origin = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Origin");
    const char *host = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Host");
    const char *at = origin ? strstr(origin, "://") : NULL;
    return at && host && strcmp(at + 3, host) == 0;
}

static bool same_text(const char *a, const char *b)
{
    unsigned char x[SECRET_DIGEST_SIZE], y[SECRET_DIGEST_SIZE];
    secret_digest(x, a, strlen(a));
    secret_digest(y, b, strlen(b));
    return memcmp(x, y, sizeof x) == 0;
}

bool form_field(struct request *r, const char *name, char *ret, size_t size)
{
    char *names[FORM_FIELDS_MAX], *values[FORM_FIELDS_MAX];
    char *copy = strdup(buf_text(&r->body));
    size_t len = copy ? split(copy, names, values) : 0;
    bool found = false;
    if (!own_origin(r))
        refuse(r, 403, "this form was not sent by heald's own page");
    for (size_t i = 0; i < len && !r->refusal.status; i++)
        if (strcmp(names[i], name) == 0)
            found = text_copy(ret, size, values[i]);
    free(copy);
    return found;
}

void form_take(struct request *r)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    char *names[FORM_FIELDS_MAX], *values[FORM_FIELDS_MAX];
    char *copy = strdup(buf_text(&r->body));
    size_t len = copy ? split(copy, names, values) : 0;
    bool proved = false;
    if (!own_origin(r))
        refuse(r, 403, "this form was not sent by heald's own page");
    if (json_writer_new(&w, NULL) != ERR_OK)
        refuse(r, 503, "no memory");
    if (!r->refusal.status) {
        jw_object(w);
        for (size_t i = 0; i < len; i++)
            if (strcmp(names[i], "csrf") == 0)
                proved = r->csrf[0] && same_text(values[i], r->csrf);
            else if (values[i][0])
                jw_kstring(w, names[i], values[i]);
        jw_object_end(w);
    }
    if (!proved)
        refuse(r, 403, "the form is not of this session: go back, load the page anew, and try again");
    const char *text = r->refusal.status ? NULL : jw_text(w, NULL);
    buf_clear(&r->body);
    if (text)
        buf_adds(&r->body, text);
    else
        refuse(r, 400, "the form cannot be read");
    free(copy);
}

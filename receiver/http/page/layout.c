/* What is around every page: head, navigation, the pause button; the login; refusals as pages. */
#include <stdio.h>
#include <string.h>

#include "receiver/http/page/assets.h"
#include "receiver/http/page/page.h"

bool page_may(const struct request *r, unsigned role)
{
    return r->operator&& r->csrf[0] &&(r->operator->roles & role);
}

void page_csrf(struct buf *out, const struct request *r)
{
    buf_addf(out, "<input type=\"hidden\" name=\"csrf\" value=\"%s\">", r->csrf);
}

static void add_link(struct buf *out, const char *path, const char *name, const char *here)
{
    buf_addf(out, "<a href=\"%s\"%s>%s</a>\n", path, strcmp(path, here) == 0 ? " aria-current=\"page\"" : "",
             name);
}

static void add_pause(struct buf *out, const struct request *r)
{
    const struct config_strings *own = r->operator? &r->operator->namespaces : NULL;
    if (!page_may(r, ROLE_ACT))
        return;
    buf_addf(out, "<details><summary>Pause</summary><form method=\"post\" action=\"/pause\">");
    page_csrf(out, r);
    if (own && own->len) {
        buf_adds(out, "<label>Namespace<select name=\"namespace\">");
        for (size_t i = 0; i < own->len; i++) {
            buf_adds(out, "<option>");
            h_text(out, own->list[i]);
            buf_adds(out, "</option>");
        }
        buf_adds(out, "</select></label>");
    }
    buf_adds(out, "<label>Why<input name=\"reason\" required maxlength=\"200\" autocomplete=\"off\"></label>"
                  "<label>For how long<select name=\"for\"><option value=\"\">until resumed</option>"
                  "<option value=\"30m\">30 minutes</option><option value=\"2h\">2 hours</option>"
                  "<option value=\"12h\">12 hours</option></select></label>"
                  "<button class=\"no\">Pause: change nothing any more</button></form></details>\n");
}

static void add_head(struct buf *out, const char *title)
{
    buf_adds(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    h_text(out, title);
    buf_adds(out, " - heald</title><link rel=\"stylesheet\" href=\"/assets/page.css\">"
                  "<link rel=\"icon\" href=\"/assets/heald.svg\" type=\"image/svg+xml\">"
                  "<script src=\"/assets/page.js\" defer></script></head><body>\n"
                  "<a class=\"skip\" href=\"#main\">To the content</a>\n");
}

void page_begin(struct buf *out, const struct request *r, const char *title, const char *here)
{
    add_head(out, title);
    buf_adds(out,
             "<header class=\"top\"><a class=\"brand\" href=\"/\">heald</a><nav aria-label=\"Pages\">\n");
    add_link(out, "/", "Now", here);
    add_link(out, "/incidents", "Incidents", here);
    add_link(out, "/policy", "Policy", here);
    add_link(out, "/explain", "Explain", here);
    buf_adds(out, "</nav><span class=\"live\" id=\"live\" role=\"status\"></span>\n");
    if (r->csrf[0]) {
        buf_adds(out, "<form method=\"post\" action=\"/logout\">");
        page_csrf(out, r);
        buf_adds(out, "<button>Log out ");
        h_text(out, r->who ? r->who : "");
        buf_adds(out, "</button></form>\n");
    }
    add_pause(out, r);
    buf_adds(out, "</header>\n<main id=\"main\">\n");
}

void page_end(struct buf *out)
{
    buf_adds(out, "</main></body></html>\n");
}

void page_answer_form(struct buf *out, const struct request *r, const struct json *i)
{
    if (!j_text(i, "asks")[0])
        return;
    if (!page_may(r, ROLE_APPROVE)) {
        buf_adds(out,
                 "<p class=\"soft\">You may look; an operator with the role \"approve\" can answer.</p>");
        return;
    }
    buf_adds(out, "<form class=\"answer\" method=\"post\" action=\"/incidents/");
    h_text(out, j_text(i, "id"));
    buf_adds(out, "/approve\">");
    page_csrf(out, r);
    buf_adds(out, "<input type=\"hidden\" name=\"hash\" value=\"");
    h_text(out, j_text(i, "asks_hash"));
    buf_adds(
        out,
        "\"><label>Why (needed to deny)<input name=\"reason\" maxlength=\"200\" autocomplete=\"off\"></label>"
        "<button class=\"yes\">Approve</button><button class=\"no\" formaction=\"/incidents/");
    h_text(out, j_text(i, "id"));
    buf_adds(out, "/deny\">Deny</button></form>\n");
}

/* ---- answers ---- */

struct json_doc *page_look(struct http_lane *lane, struct request *r,
                           enum err_code (*write)(struct http_lane *lane, const struct request *r,
                                                  struct err *e))
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    jw_reset(lane->writer);
    jw_object(lane->writer);
    enum err_code code = view_begin(lane->view, &e);
    if (!code)
        code = write(lane, r, &e);
    view_end(lane->view);
    jw_object_end(lane->writer);
    size_t len = 0;
    const char *text = code ? NULL : jw_text(lane->writer, &len);
    if (!code && !text)
        code = err_set(&e, ERR_NOMEM, "no memory for the page");
    if (!code)
        code = json_parse(&doc, text, len, &e);
    if (code)
        refuse(r, code == ERR_NOT_FOUND ? 404 : 503, "%s", e.msg);
    return doc;
}

void page_done(struct request *r)
{
    r->type = "text/html; charset=utf-8";
}

/* `to`: where to go on after it. */
static void write_login(struct buf *out, const char *wrong, const char *to)
{
    add_head(out, "Log in");
    buf_adds(out, "<main id=\"main\"><h1>heald</h1>");
    if (wrong) {
        buf_adds(out, "<p class=\"banner\" role=\"alert\">");
        h_text(out, wrong);
        buf_adds(out, "</p>");
    }
    buf_adds(out, "<form class=\"card stack\" method=\"post\" action=\"/login\"><input type=\"hidden\" "
                  "name=\"to\" value=\"");
    h_text(out, to);
    buf_adds(out, "\"><label>Operator's token"
                  "<input name=\"token\" type=\"password\" required autocomplete=\"current-password\" "
                  "autofocus></label>"
                  "<button class=\"yes\">Log in</button><p class=\"soft\">Operators stand in heald.cfg; the "
                  "token is what "
                  "its token_file says.</p></form>");
    page_end(out);
}

/* Where the request went to, when it only looks. */
static const char *path_of(const struct request *r, char *ret, size_t size)
{
    const char *path = strcmp(r->route->method, "GET") == 0 ? r->route->path : "/";
    size_t before = strcspn(path, "*");
    snprintf(ret, size, "%.*s%s", (int)before, path, path[before] ? r->incident : "");
    return ret;
}

static bool is_own_path(const char *path)
{
    return path[0] == '/' && path[1] != '/' && !path[strspn(path, "/abcdefghijklmnopqrstuvwxyz0123456789")];
}

enum MHD_Result page_login(struct request *r)
{
    write_login(&r->result, NULL, "/");
    page_done(r);
    return answer_result(r);
}

enum MHD_Result page_log_in(struct request *r)
{
    char token[1024] = "", to[100] = "/";
    bool given = form_field(r, "token", token, sizeof token);
    form_field(r, "to", to, sizeof to);
    int at = r->refusal.status ? -1 : auth_token(r, token);
    explicit_bzero(token, sizeof token);
    if (r->refusal.status)
        return answer_problem(r, r->refusal.status, r->refusal.detail);
    if (at < 0 || !session_begin(r, (size_t)at)) {
        write_login(&r->result, given ? "That is no token of an operator." : "Give a token.",
                    is_own_path(to) ? to : "/");
        page_done(r);
        return answer_result(r);
    }
    text_copy(r->location, sizeof r->location, is_own_path(to) ? to : "/");
    return answer_result(r);
}

enum MHD_Result page_log_out(struct request *r)
{
    form_take(r);
    if (r->refusal.status)
        return answer_problem(r, r->refusal.status, r->refusal.detail);
    session_end(r);
    text_copy(r->location, sizeof r->location, "/login");
    return answer_result(r);
}

void page_problem(struct request *r, unsigned status, const char *detail)
{
    buf_clear(&r->result);
    if (status == 401) {
        char to[100];
        write_login(&r->result, NULL, path_of(r, to, sizeof to));
    } else {
        page_begin(&r->result, r, "Refused", "");
        buf_addf(&r->result, "<h1>That was not done (%u)</h1><p class=\"banner\" role=\"alert\">", status);
        h_text(&r->result, detail);
        buf_adds(&r->result, "</p><p><a href=\"/\">What is going on now</a></p>");
        page_end(&r->result);
    }
    page_done(r);
}

static enum MHD_Result answer_asset(struct request *r, const char *name, const char *type)
{
    for (const struct asset *a = assets; a->name; a++)
        if (strcmp(a->name, name) == 0)
            buf_add(&r->result, a->bytes, a->len);
    r->type = type;
    return answer_result(r);
}

enum MHD_Result page_css(struct request *r)
{
    return answer_asset(r, "page.css", "text/css; charset=utf-8");
}

enum MHD_Result page_js(struct request *r)
{
    return answer_asset(r, "page.js", "text/javascript; charset=utf-8");
}

enum MHD_Result page_icon(struct request *r)
{
    return answer_asset(r, "heald.svg", "image/svg+xml");
}

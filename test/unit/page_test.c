/* test/unit/page_test.c - the page's doors: sessions, forms that others send, roles, what it lets into the
 * text. */
#include <criterion/criterion.h>

#include "actions/catalogue.h"
#include "receiver/http/page/page.h"
#include "receiver/journal/journal.h"
#include "test/kit/listener.h"

struct world {
    struct listener w;
    struct journal *journal;
    struct policy *policy;
    char origin[80], cookie[200], csrf[SESSION_CSRF_SIZE];
};

static void say(struct world *x, const char *kind, const char *text)
{
    struct err e = ERR_INIT;
    int64_t last = journal_last_seq(x->journal);
    struct journal_row row = { .seq = last + 1,
                               .at_ms = 1790000000000 + last,
                               .kind = kind,
                               .incident = "0a",
                               .text = text,
                               .len = strlen(text) };
    cr_assert_eq(journal_append(x->journal, 1, last, &row, 1, &e), APPEND_OK, "%s", e.msg);
}

static struct world make(const char *more)
{
    struct world x = { .w = listener_folder() };
    struct err e = ERR_INIT;
    char file[400];
    CLEANUP(buf_release) struct buf config = BUF_INIT;
    snprintf(file, sizeof file, "%s/journal.db", x.w.dir.path);
    cr_assert_eq(journal_open(&x.journal, file, NULL, &e), ERR_OK, "%s", e.msg);
    say(&x, "incident_opened",
        "{\"v\":1,\"rule\":\"<script>alert(1)</script>\",\"source\":\"am\",\"plan\":{\"name\":\"p\"}}");
    say(&x, "resolved",
        "{\"v\":1,\"cluster\":\"c\",\"namespace\":\"shop\",\"kind\":\"Deployment\",\"name\":\"web\",\"mode\":"
        "\"act\"}");
    say(&x, "asked",
        "{\"v\":1,\"step\":\"steps.0\",\"guard\":\"gate\",\"wanted\":1,\"hash\":\"h\\\"<\",\"reason\":\"a & "
        "b\"}");
    buf_addf(&config, "%s%s", LISTENER_SOURCE, more);
    listener_start(&x.w, buf_text(&config));
    static const char policy[] = "version = 1; environments = (); rules = (); plans = {};";
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    cr_assert_eq(policy_load(&x.policy, "policy.cfg", policy, sizeof policy - 1, specs, len, NULL, &e),
                 ERR_OK, "%s", e.msg);
    double_policy(x.w.loop, x.policy);
    snprintf(x.origin, sizeof x.origin, "Origin: http://h\r\n");
    return x;
}

#define OPERATORS                                                                                            \
    "operators = ( { name = \"ann\"; token_file = \"actor.token\"; roles = [ \"read\", \"act\", "            \
    "\"approve\" ]; },"                                                                                      \
    " { name = \"guest\"; token_file = \"reader.token\"; roles = [ \"read\" ]; } );\n"

static void end(struct world *x)
{
    listener_end(&x->w);
    journal_close(x->journal);
    policy_free(x->policy);
}

static struct reply ask(struct world *x, const char *method, const char *path, const char *extra,
                        const char *body)
{
    int fd = client_connect(x->w.port);
    struct reply r = client_ask(fd, method, path, extra, body, body ? strlen(body) : 0);
    close(fd);
    return r;
}

/* With the session's cookie, from the page's own origin. */
static struct reply browse(struct world *x, const char *method, const char *path, const char *body)
{
    char extra[600];
    snprintf(extra, sizeof extra, "%s%s", x->origin, x->cookie);
    return ask(x, method, path, extra, body);
}

static void log_in(struct world *x, const char *token)
{
    char body[200];
    snprintf(body, sizeof body, "to=%%2F&token=%s", token);
    CLEANUP(reply_release) struct reply r = ask(x, "POST", "/login", x->origin, body);
    cr_assert_eq(r.status, 303, "%d %s", r.status, buf_text(&r.body));
    const char *set = reply_header(&r, "Set-Cookie");
    cr_assert_not_null(strstr(set, "HttpOnly; SameSite=Lax"));
    snprintf(x->cookie, sizeof x->cookie, "Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
    CLEANUP(reply_release) struct reply page = browse(x, "GET", "/incidents", NULL);
    const char *csrf = strstr(buf_text(&page.body), "name=\"csrf\" value=\"");
    cr_assert_not_null(csrf);
    memcpy(x->csrf, csrf + 19, sizeof x->csrf - 1);
}

static int word(struct world *x, const char *path, const char *csrf, const char *rest)
{
    char body[400];
    snprintf(body, sizeof body, "csrf=%s&%s", csrf, rest);
    CLEANUP(reply_release) struct reply r = browse(x, "POST", path, body);
    return r.status;
}

Test(page, strangers_are_asked_for_a_token)
{
    struct world x = make(OPERATORS);
    static const char *const paths[] = { "/", "/incidents", "/incidents/0a", "/policy", "/explain" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CLEANUP(reply_release) struct reply r = ask(&x, "GET", paths[i], "", NULL);
        cr_assert_eq(r.status, 401, "%s", paths[i]);
        cr_assert_not_null(strstr(buf_text(&r.body), "name=\"token\""), "%s", paths[i]);
        cr_assert_null(strstr(buf_text(&r.body), "shop"));
    }
    end(&x);
}

Test(page, a_wrong_token_and_a_made_up_cookie_open_nothing)
{
    struct world x = make(OPERATORS);
    CLEANUP(reply_release) struct reply r = ask(&x, "POST", "/login", x.origin, "token=no-secret");
    cr_assert_eq(r.status, 200);
    cr_assert_str_empty(reply_header(&r, "Set-Cookie"));
    snprintf(x.cookie, sizeof x.cookie, "Cookie: heald_session=%048d\r\n", 0);
    CLEANUP(reply_release) struct reply page = browse(&x, "GET", "/", NULL);
    cr_assert_eq(page.status, 401);
    end(&x);
}

Test(page, after_the_login_it_goes_on_where_the_link_led_and_nowhere_else)
{
    struct world x = make(OPERATORS);
    static const struct {
        const char *to, *location;
    } cases[] = { { "%2Fincidents%2F0a", "/incidents/0a" },
                  { "%2F%2Fevil.example", "/" },
                  { "https%3A%2F%2Fevil", "/" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[200];
        snprintf(body, sizeof body, "to=%s&token=actor-secret", cases[i].to);
        CLEANUP(reply_release) struct reply r = ask(&x, "POST", "/login", x.origin, body);
        cr_assert_eq(r.status, 303);
        cr_assert_str_eq(reply_header(&r, "Location"), cases[i].location);
    }
    end(&x);
}

Test(page, what_people_wrote_is_text_and_never_markup)
{
    struct world x = make(OPERATORS);
    log_in(&x, "actor-secret");
    static const char *const paths[] = { "/", "/incidents", "/incidents/0a",
                                         "/explain?labels=a%3D%3Cscript%3E" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CLEANUP(reply_release) struct reply r = browse(&x, "GET", paths[i], NULL);
        cr_assert_eq(r.status, 200, "%s: %s", paths[i], buf_text(&r.body));
        cr_assert_null(strstr(buf_text(&r.body), "<script>"), "%s", paths[i]);
        cr_assert_not_null(strstr(buf_text(&r.body), "&lt;script&gt;"), "%s", paths[i]);
        cr_assert_not_null(strstr(reply_header(&r, "Content-Security-Policy"), "script-src 'self'"));
        cr_assert_not_null(strstr(reply_header(&r, "Content-Security-Policy"), "default-src 'none'"));
    }
    end(&x);
}

Test(page, a_form_of_the_page_is_a_word)
{
    struct world x = make(OPERATORS);
    log_in(&x, "actor-secret");
    cr_assert_eq(word(&x, "/incidents/0a/approve", x.csrf, "reason=so+it+%26+is&hash=h1"), 303);
    char *said = double_word(x.w.loop);
    cr_assert_str_eq(said, "approve 0a ( h1) ann: so it & is");
    free(said);
    cr_assert_eq(word(&x, "/pause", x.csrf, "reason=x&for="), 303);
    cr_assert_eq(double_pauses(x.w.loop), 1);
    cr_assert_eq(word(&x, "/incidents/0a/deny", x.csrf, "reason="), 400);
    end(&x);
}

Test(page, forms_that_others_send_are_refused)
{
    struct world x = make(OPERATORS);
    log_in(&x, "actor-secret");
    cr_assert_eq(word(&x, "/pause", "", "reason=x"), 403, "without the session's token");
    cr_assert_eq(word(&x, "/pause", "0123", "reason=x"), 403);
    snprintf(x.origin, sizeof x.origin, "Origin: http://evil.example\r\n");
    cr_assert_eq(word(&x, "/pause", x.csrf, "reason=x"), 403, "from another site");
    x.origin[0] = '\0';
    cr_assert_eq(word(&x, "/pause", x.csrf, "reason=x"), 403, "from nowhere");
    CLEANUP(reply_release)
    struct reply r = ask(&x, "POST", "/login", "Origin: http://evil\r\n", "token=actor-secret");
    cr_assert_eq(r.status, 403);
    cr_assert_eq(double_pauses(x.w.loop), 0);
    end(&x);
}

Test(page, a_session_does_not_open_the_api_for_words)
{
    struct world x = make(OPERATORS);
    log_in(&x, "actor-secret");
    CLEANUP(reply_release) struct reply r = browse(&x, "POST", "/api/v1/pause", "{\"reason\":\"x\"}");
    cr_assert_eq(r.status, 401);
    CLEANUP(reply_release) struct reply list = browse(&x, "GET", "/api/v1/incidents", NULL);
    cr_assert_eq(list.status, 200, "it may look");
    end(&x);
}

Test(page, who_may_only_look_has_no_buttons_and_no_word)
{
    struct world x = make(OPERATORS);
    log_in(&x, "reader-secret");
    CLEANUP(reply_release) struct reply r = browse(&x, "GET", "/incidents/0a", NULL);
    cr_assert_not_null(strstr(buf_text(&r.body), "a &amp; b"));
    cr_assert_null(strstr(buf_text(&r.body), "/approve\""));
    cr_assert_null(strstr(buf_text(&r.body), "action=\"/pause\""));
    cr_assert_eq(word(&x, "/incidents/0a/approve", x.csrf, "reason=x"), 403);
    cr_assert_eq(word(&x, "/pause", x.csrf, "reason=x"), 403);
    end(&x);
}

Test(page, looking_never_acts)
{
    struct world x = make(OPERATORS);
    log_in(&x, "actor-secret");
    static const char *const paths[] = { "/incidents/0a/approve", "/incidents/0a/deny", "/pause", "/logout" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CLEANUP(reply_release) struct reply r = browse(&x, "GET", paths[i], NULL);
        cr_assert_eq(r.status, 405, "%s", paths[i]);
    }
    end(&x);
}

Test(page, a_session_ends_by_logging_out_and_with_its_token)
{
    struct world x = make(OPERATORS);
    log_in(&x, "actor-secret");
    cr_assert_eq(word(&x, "/logout", x.csrf, "a=b"), 303);
    CLEANUP(reply_release) struct reply r = browse(&x, "GET", "/", NULL);
    cr_assert_eq(r.status, 401);
    log_in(&x, "actor-secret");
    listener_write(&x.w, "actor.token", "another-secret");
    CLEANUP(reply_release) struct reply later = browse(&x, "GET", "/incidents", NULL);
    cr_assert_eq(later.status, 401, "a withdrawn token takes its sessions with it");
    end(&x);
}

Test(page, without_operators_anybody_on_this_machine_may_look)
{
    struct world x = make("");
    CLEANUP(reply_release) struct reply r = ask(&x, "GET", "/", "", NULL);
    cr_assert_eq(r.status, 200);
    cr_assert_null(strstr(buf_text(&r.body), "<form method=\"post\""));
    end(&x);
}

Test(page, its_own_files_are_sent_once)
{
    struct world x = make(OPERATORS);
    static const char *const paths[] = { "/assets/page.css", "/assets/page.js", "/assets/heald.svg" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char extra[100];
        CLEANUP(reply_release) struct reply r = ask(&x, "GET", paths[i], "", NULL);
        cr_assert_eq(r.status, 200);
        cr_assert_gt(r.body.len, 50);
        snprintf(extra, sizeof extra, "If-None-Match: %s\r\n", reply_header(&r, "ETag"));
        CLEANUP(reply_release) struct reply again = ask(&x, "GET", paths[i], extra, NULL);
        cr_assert_eq(again.status, 304);
    }
    end(&x);
}

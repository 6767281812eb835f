/* test/unit/auth_test.c - who may do what: sources, operators, files that change, TLS. */
#include <criterion/criterion.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/stat.h>

#include "receiver/http/secret.h"
#include "test/kit/listener.h"

#define PATH "/webhook/alertmanager"

static int deliver_as(struct listener *w, const char *authorization)
{
    char extra[300];
    snprintf(extra, sizeof extra, "%s" JSON_TYPE, authorization);
    return ask_status(w->port, "POST", PATH, extra, DELIVERY);
}

/* ---- sources ---- */

Test(auth, a_source_is_known_by_its_token)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    static const char *const wrong[] = {
        "",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer am-secre\r\n",
        "Authorization: Bearer am-secrets\r\n",
        "Authorization: Bearer AM-SECRET\r\n",
        "Authorization: Basic am-secret\r\n",
        "Authorization: am-secret\r\n",
        "Authorization: Bearer actor-secret\r\n",
        "X-Authorization: Bearer am-secret\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(deliver_as(&w, wrong[i]), 401, "%s", wrong[i]);
    cr_assert_eq(double_slices(w.loop), 0u);
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer am-secret\r\n"), 200);
    cr_assert_eq(deliver_as(&w, "authorization: bearer   am-secret\r\n"), 200);
}

Test(auth, a_refusal_says_how_to_do_it)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = deliver(fd, JSON_TYPE, DELIVERY);
    cr_assert_eq(r.status, 401);
    cr_assert_not_null(strstr(r.head, "WWW-Authenticate: Bearer realm=\"heald\""), "%s", r.head);
    cr_assert_not_null(strstr(r.head, "WWW-Authenticate: Basic realm=\"heald\""), "%s", r.head);
    cr_assert_null(strstr(buf_text(&r.body), "am-secret"));
    close(fd);
}

Test(auth, a_source_may_use_basic_authentication)
{
    CLEANUP(listener_end)
    struct listener w =
        listener_make("sources = ( { name = \"am\"; user = \"heald\"; password_file = \"am.password\"; } );");
    cr_assert_eq(deliver_as(&w, "Authorization: Basic aGVhbGQ6cGFzcyB3b3Jk\r\n"), 200, "heald:pass word");
    cr_assert_eq(deliver_as(&w, "Authorization: Basic aGVhbGQ6cGFzcyB3b3Jl\r\n"), 401, "heald:pass wore");
    cr_assert_eq(deliver_as(&w, "Authorization: Basic SGVhbGQ6cGFzcyB3b3Jk\r\n"), 401, "Heald:pass word");
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer aGVhbGQ6cGFzcyB3b3Jk\r\n"), 401);
}

Test(auth, the_credential_decides_which_source_speaks)
{
    CLEANUP(listener_end)
    struct listener w =
        listener_make("sources = ( { name = \"one\"; token_file = \"am.token\"; force = { from = \"1\"; }; },"
                      " { name = \"two\"; token_file = \"reader.token\"; force = { from = \"2\"; }; } );");
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer reader-secret\r\n"), 200);
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer am-secret\r\n"), 200);
    char *first = double_label(w.loop, 0, "from"), *second = double_label(w.loop, 1, "from");
    cr_assert_str_eq(first, "2");
    cr_assert_str_eq(second, "1");
    cr_assert_eq(metrics_value(w.metrics, METRIC_DELIVERIES, "two", "accepted"), 1);
    free(first);
    free(second);
}

Test(auth, on_loopback_a_source_without_a_credential_is_open)
{
    CLEANUP(listener_end) struct listener w = listener_make("");
    cr_assert_eq(deliver_as(&w, ""), 200);
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer mistaken\r\n"), 401,
                 "a credential that is given must be right");
    cr_assert_eq(metrics_value(w.metrics, METRIC_DELIVERIES, "alertmanager", "accepted"), 1);
}

/* ---- operators ---- */

Test(auth, operators_do_what_their_roles_say)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    static const struct {
        const char *method, *path, *body;
        int nobody, source, reader, actor;
    } cases[] = {
        { "GET", "/status", NULL, 401, 401, 200, 200 },
        { "POST", "/api/v1/pause", "{\"reason\":\"r\"}", 401, 401, 403, 200 },
        { "POST", "/api/v1/resume", "{}", 401, 401, 403, 200 },
        { "POST", "/-/reload", "", 401, 401, 403, 200 },
        { "GET", "/health", NULL, 200, 200, 200, 200 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *method = cases[i].method, *path = cases[i].path, *body = cases[i].body;
        cr_assert_eq(ask_status(w.port, method, path, "", body), cases[i].nobody, "%s", path);
        cr_assert_eq(ask_status(w.port, method, path, AS_SOURCE, body), cases[i].source, "%s", path);
        cr_assert_eq(ask_status(w.port, method, path, AS_READER, body), cases[i].reader, "%s", path);
        cr_assert_eq(ask_status(w.port, method, path, AS_ACTOR, body), cases[i].actor, "%s", path);
    }
    cr_assert_eq(double_pauses(w.loop), 1u);
    cr_assert_eq(double_reloads(w.loop), 1u);
}

Test(auth, without_operators_anybody_here_may_look_and_nobody_may_act)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE);
    cr_assert_eq(ask_status(w.port, "GET", "/status", "", NULL), 200);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/pause", "", "{\"reason\":\"r\"}"), 401);
    cr_assert_eq(ask_status(w.port, "POST", "/-/reload", "", ""), 401);
    cr_assert_eq(double_pauses(w.loop), 0u);
}

Test(auth, who_paused_and_why_is_passed_on)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/pause", AS_ACTOR, "{\"reason\":\"storm \\u00fc\"}"),
                 200);
    char *word = double_word(w.loop);
    cr_assert_str_eq(word, "oncall: storm \u00fc");
    free(word);
}

Test(auth, a_word_that_makes_no_sense_is_refused)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    static const char *const bodies[] = {
        "", "{}", "{\"reason\":\"\"}", "{\"reason\":1}", "pause", "{\"reason\":\"\\ud800\"}"
    };
    char *giant = malloc(20001);
    memset(giant, ' ', 20000);
    giant[20000] = '\0';
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        cr_assert_eq(ask_status(w.port, "POST", "/api/v1/pause", AS_ACTOR, bodies[i]), 400, "%s", bodies[i]);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/pause", AS_ACTOR, giant), 413);
    cr_assert_eq(double_pauses(w.loop), 0u);
    free(giant);
}

Test(auth, a_word_that_waits_for_the_journal_holds_nobody_up)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    double_mode(w.loop, DOUBLE_HOLDS);
    static const char text[] =
        "POST /api/v1/pause HTTP/1.1\r\nHost: h\r\n" AS_ACTOR "Content-Length: 14\r\n\r\n{\"reason\":\"r\"}";
    int first = client_connect(w.port), second = client_connect(w.port);
    char c;
    client_send_bytes(first, text, strlen(text));
    client_send_bytes(second, text, strlen(text));
    for (int i = 0; i < 20; i++)
        cr_assert_eq(ask_status(w.port, "GET", "/health", "", NULL), 200);
    cr_assert_lt(recv(first, &c, 1, MSG_DONTWAIT), 0, "not before it is durable");
    double_mode(w.loop, DOUBLE_COMMITS);
    CLEANUP(reply_release) struct reply a = client_read(first, false);
    CLEANUP(reply_release) struct reply b = client_read(second, false);
    cr_assert_eq(a.status, 200);
    cr_assert_eq(b.status, 200);
    cr_assert_eq(double_pauses(w.loop), 2u);
    close(first);
    close(second);
}

Test(auth, words_that_fail_say_why)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    double_mode(w.loop, DOUBLE_FAILS);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/pause", AS_ACTOR, "{\"reason\":\"r\"}"), 503);
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = client_ask(fd, "POST", "/-/reload", AS_ACTOR, "", 0);
    cr_assert_eq(r.status, 400);
    cr_assert_not_null(strstr(buf_text(&r.body), "policy.cfg:3: unknown key"), "%s", buf_text(&r.body));
    close(fd);
}

/* ---- files that change ---- */

static void withdrawn_credential_is_noticed(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = (SECRET_LOOK_MS + 100) * 1000000 }, NULL);
}

Test(auth, a_changed_token_file_is_read_again)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer am-secret\r\n"), 200);
    listener_write(&w, "am.token", "AM-SECRET\n"); /* the same size */
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer AM-SECRET\r\n"), 200, "the new one counts at once");
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer am-secret\r\n"), 401);
    cr_assert_eq(ask_status(w.port, "GET", "/status", AS_READER, NULL), 200, "others are as they were");
}

Test(auth, a_token_file_that_is_gone_lets_nobody_in)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE LISTENER_OPERATORS);
    char file[400];
    snprintf(file, sizeof file, "%s/am.token", w.dir.path);
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer am-secret\r\n"), 200);
    remove(file);
    withdrawn_credential_is_noticed();
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer am-secret\r\n"), 401);
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer \r\n"), 401);
    listener_write(&w, "am.token", "");
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer \r\n"), 401, "an empty file is no empty credential");
    listener_write(&w, "am.token", "am-secret");
    cr_assert_eq(deliver_as(&w, "Authorization: Bearer am-secret\r\n"), 200);
}

/* ---- TLS ---- */

/* A certificate of its own for `name`, and its key. */
static void write_pair(struct listener *w, const char *name, const char *certificate, const char *key)
{
    gnutls_x509_privkey_t k;
    gnutls_x509_crt_t c;
    gnutls_datum_t text = { .data = NULL };
    gnutls_x509_privkey_init(&k);
    gnutls_x509_privkey_generate(k, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&c);
    gnutls_x509_crt_set_version(c, 3);
    gnutls_x509_crt_set_serial(c, "\x01", 1);
    gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_activation_time(c, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(c, time(NULL) + 3600);
    gnutls_x509_crt_set_key(c, k);
    cr_assert_eq(gnutls_x509_crt_sign2(c, c, k, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &text);
    if (certificate)
        listener_write(w, certificate, (const char *)text.data);
    gnutls_free(text.data);
    gnutls_x509_privkey_export2(k, GNUTLS_X509_FMT_PEM, &text);
    if (key)
        listener_write(w, key, (const char *)text.data);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(c);
    gnutls_x509_privkey_deinit(k);
}

struct secure {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    int result; /* of the handshake */
    char name[64];
};

static struct secure secure_connect(int port, const char *priorities)
{
    struct secure c = { .fd = client_connect(port) };
    gnutls_certificate_allocate_credentials(&c.credentials);
    gnutls_init(&c.session, GNUTLS_CLIENT);
    gnutls_priority_set_direct(c.session, priorities, NULL);
    gnutls_credentials_set(c.session, GNUTLS_CRD_CERTIFICATE, c.credentials);
    gnutls_transport_set_int(c.session, c.fd);
    gnutls_handshake_set_timeout(c.session, CLIENT_PATIENCE_SECONDS * 1000);
    do
        c.result = gnutls_handshake(c.session);
    while (c.result < 0 && !gnutls_error_is_fatal(c.result));
    unsigned len = 0;
    const gnutls_datum_t *chain = c.result == 0 ? gnutls_certificate_get_peers(c.session, &len) : NULL;
    if (len) {
        gnutls_x509_crt_t crt;
        size_t size = sizeof c.name;
        gnutls_x509_crt_init(&crt);
        gnutls_x509_crt_import(crt, chain, GNUTLS_X509_FMT_DER);
        gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, c.name, &size);
        gnutls_x509_crt_deinit(crt);
    }
    return c;
}

static void secure_end(struct secure *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    close(c->fd);
}

static int secure_ask(struct secure *c, const char *extra, const char *body)
{
    char text[2000];
    int n =
        snprintf(text, sizeof text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%s",
                 extra, strlen(body), body);
    gnutls_record_send(c->session, text, (size_t)n);
    size_t len = 0;
    ssize_t got = 1;
    text[0] = '\0';
    while (got > 0 && !strstr(text, "}\n") && !strstr(text, "\"}") && len < sizeof text - 1) {
        got = gnutls_record_recv(c->session, text + len, sizeof text - 1 - len);
        len += got > 0 ? (size_t)got : 0;
        text[len] = '\0';
    }
    int status = 0;
    sscanf(text, "HTTP/1.1 %d", &status);
    return status;
}

#define TLS "tls = { certificate = \"tls.crt\"; key = \"tls.key\"; };\n" LISTENER_SOURCE LISTENER_OPERATORS

static struct listener secure_listener(void)
{
    struct listener w = listener_folder();
    write_pair(&w, "first", "tls.crt", "tls.key");
    listener_start(&w, TLS);
    return w;
}

Test(auth, deliveries_come_in_by_tls)
{
    CLEANUP(listener_end) struct listener w = secure_listener();
    CLEANUP(secure_end) struct secure c = secure_connect(w.port, "NORMAL");
    cr_assert_eq(c.result, 0, "%s", gnutls_strerror(c.result));
    cr_assert_str_eq(c.name, "first");
    cr_assert_eq(secure_ask(&c, AS_SOURCE, DELIVERY), 200);
    cr_assert_eq(secure_ask(&c, JSON_TYPE, DELIVERY), 401);
    cr_assert_eq(secure_ask(&c, AS_SOURCE, DELIVERY), 200, "kept alive");
    cr_assert_eq(double_committed(w.loop), 2u);
}

Test(auth, old_versions_of_tls_and_plain_text_are_refused)
{
    CLEANUP(listener_end) struct listener w = secure_listener();
    CLEANUP(secure_end)
    struct secure old = secure_connect(w.port, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0:%COMPAT");
    CLEANUP(secure_end) struct secure good = secure_connect(w.port, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    cr_assert_neq(old.result, 0);
    cr_assert_eq(good.result, 0, "%s", gnutls_strerror(good.result));
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, DELIVERY);
    cr_assert_eq(r.status, 0);
    cr_assert_eq(double_slices(w.loop), 0u);
    close(fd);
}

Test(auth, a_changed_certificate_is_taken_over)
{
    CLEANUP(listener_end) struct listener w = secure_listener();
    CLEANUP(secure_end) struct secure before = secure_connect(w.port, "NORMAL");
    write_pair(&w, "second", "tls.crt", "tls.key");
    CLEANUP(secure_end) struct secure after = secure_connect(w.port, "NORMAL");
    cr_assert_str_eq(after.name, "second");
    cr_assert_eq(secure_ask(&before, AS_SOURCE, DELIVERY), 200, "old connections live on");
    cr_assert_eq(secure_ask(&after, AS_SOURCE, DELIVERY), 200);
}

Test(auth, a_certificate_that_cannot_be_used_is_not_taken_over)
{
    CLEANUP(listener_end) struct listener w = secure_listener();
    listener_write(&w, "tls.crt", "no certificate");
    CLEANUP(secure_end) struct secure garbage = secure_connect(w.port, "NORMAL");
    write_pair(&w, "stranger", "tls.crt", NULL); /* the key is another's */
    CLEANUP(secure_end) struct secure stranger = secure_connect(w.port, "NORMAL");
    cr_assert_str_eq(garbage.name, "first");
    cr_assert_str_eq(stranger.name, "first");
    write_pair(&w, "third", "tls.crt", "tls.key");
    CLEANUP(secure_end) struct secure mended = secure_connect(w.port, "NORMAL");
    cr_assert_str_eq(mended.name, "third");
}

Test(auth, a_handshake_that_never_ends_has_its_time, .timeout = 60)
{
    CLEANUP(listener_end) struct listener w = listener_folder();
    write_pair(&w, "first", "tls.crt", "tls.key");
    listener_start(&w, "limits = { header_time = \"1s\"; };\n" TLS);
    int fd = client_connect(w.port);
    cr_assert(EVENTUALLY(metrics_value(w.metrics, METRIC_LIMITS, "header_time", NULL) == 1));
    cr_assert(client_is_closed(fd));
    close(fd);
}

Test(auth, behind_a_proxy_only_the_proxies_may_connect)
{
    CLEANUP(listener_end)
    struct listener w = listener_make(
        "tls = \"terminated\"; tls_proxies = [ \"10.1.2.0/24\", \"127.0.0.2\" ];\n" LISTENER_SOURCE);
    CLEANUP(listener_end)
    struct listener open =
        listener_make("tls = \"terminated\"; tls_proxies = [ \"127.0.0.0/8\" ];\n" LISTENER_SOURCE);
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = client_ask(fd, "GET", "/health", "", NULL, 0);
    cr_assert_eq(r.status, 0);
    cr_assert_eq(ask_status(open.port, "GET", "/health", "", NULL), 200);
    close(fd);
}

/* ---- words on incidents ---- */

#define OPERATORS_OF_GROUPS                                                                                  \
    "operators = ( { name = \"ann\"; token_file = \"reader.token\"; roles = [ \"read\", \"approve\" ]; "     \
    "groups = [ "                                                                                            \
    "\"sre\", \"dba\" ]; }, { name = \"oncall\"; token_file = \"actor.token\"; roles = [ \"act\" ]; } );\n"

static void said(struct listener *w, const char *text)
{
    char *word = double_word(w->loop);
    cr_assert_str_eq(word, text);
    free(word);
}

Test(auth, an_answer_carries_the_operators_groups_and_the_hash)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE OPERATORS_OF_GROUPS);
    cr_assert_eq(
        ask_status(w.port, "POST", "/api/v1/incidents/01m7/approve", AS_READER, "{\"hash\":\"abc\"}"), 200);
    said(&w, "approve 01m7 (sre,dba abc) ann: ");
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/01m7/deny", AS_READER, "{\"reason\":\"no\"}"),
                 200);
    said(&w, "deny 01m7 (sre,dba ) ann: no");
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/01m7/cancel", AS_ACTOR, "{\"reason\":\"no\"}"),
                 200);
    said(&w, "cancel 01m7 ( ) oncall: no");
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/01m7/retry", AS_ACTOR, ""), 200);
    said(&w, "retry 01m7 ( ) oncall: ");
}

Test(auth, who_may_act_may_not_approve_and_the_other_way_round)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE OPERATORS_OF_GROUPS);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/01m7/approve", AS_ACTOR, "{}"), 403);
    cr_assert_eq(
        ask_status(w.port, "POST", "/api/v1/incidents/01m7/cancel", AS_READER, "{\"reason\":\"no\"}"), 403);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/heal", AS_READER, "{}"), 403);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/01m7/approve", "", "{}"), 401);
}

Test(auth, looking_never_acts)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE OPERATORS_OF_GROUPS);
    cr_assert_eq(ask_status(w.port, "GET", "/api/v1/incidents/01m7/approve", AS_READER, NULL), 405);
    cr_assert_eq(ask_status(w.port, "GET", "/api/v1/heal", AS_ACTOR, NULL), 405);
    said(&w, "");
}

Test(auth, a_word_that_does_not_fit_the_incident_says_how)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE OPERATORS_OF_GROUPS);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/0gone/retry", AS_ACTOR, ""), 404);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/0late/retry", AS_ACTOR, ""), 409);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents//retry", AS_ACTOR, ""), 404);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/a.b/retry", AS_ACTOR, ""), 404);
    cr_assert_eq(
        ask_status(w.port, "POST", "/api/v1/incidents/0123456789012345678901234/retry", AS_ACTOR, ""), 404);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/01m7/cancel", AS_ACTOR, "{}"), 400,
                 "it wants a reason");
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/incidents/01m7/retry", AS_ACTOR, "{\"force\":\"1\"}"),
                 400);
}

Test(auth, a_pause_has_one_scope_and_an_end)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE OPERATORS_OF_GROUPS);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/pause", AS_ACTOR,
                            "{\"reason\":\"r\",\"rule\":\"x\",\"for\":\"2h\"}"),
                 200);
    said(&w, "rule x for 7200000 ms oncall: r");
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/resume", AS_ACTOR, "{\"namespace\":\"shop\"}"), 200);
    said(&w, "namespace shop for 0 ms oncall: ");
    static const char *const bad[] = { "{\"reason\":\"r\",\"rule\":\"x\",\"namespace\":\"y\"}",
                                       "{\"reason\":\"r\",\"rule\":\"\"}",
                                       "{\"reason\":\"r\",\"for\":\"soon\"}",
                                       "{\"reason\":\"r\",\"for\":\"0s\"}",
                                       "{\"reason\":\"r\",\"cluster\":\"x\"}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(ask_status(w.port, "POST", "/api/v1/pause", AS_ACTOR, bad[i]), 400, "%s", bad[i]);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/resume", AS_ACTOR, "{\"for\":\"1h\"}"), 400);
}

Test(auth, what_is_begun_by_hand_is_named)
{
    CLEANUP(listener_end) struct listener w = listener_make(LISTENER_SOURCE OPERATORS_OF_GROUPS);
    int fd = client_connect(w.port);
    const char *body = "{\"rule\":\"crash\",\"namespace\":\"shop\",\"kind\":\"Deployment\",\"name\":\"web\","
                       "\"reason\":\"hangs\"}";
    CLEANUP(reply_release)
    struct reply r = client_ask(fd, "POST", "/api/v1/heal", AS_ACTOR, body, strlen(body));
    cr_assert_eq(r.status, 200);
    cr_assert_str_eq(buf_text(&r.body), "{\"incident\":\"0new\"}\n");
    said(&w, "heal shop/Deployment/web by crash oncall: hangs");
    close(fd);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/heal", AS_ACTOR, "{\"rule\":\"a\",\"plan\":\"b\"}"),
                 400);
    cr_assert_eq(ask_status(w.port, "POST", "/api/v1/heal", AS_ACTOR, "{}"), 400);
}

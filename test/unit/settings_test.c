/* test/unit/settings_test.c - heald.cfg: defaults, every error at once, and what must not be reachable from
 * outside. */
#include "receiver/runtime/settings.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "receiver/http/address.h"
#include "test/kit/tempdir.h"

static void write_file(const struct tempdir *t, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", t->path, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f, "%s", path);
    fputs(text, f);
    fclose(f);
}

static struct tempdir folder(void)
{
    struct tempdir t = tempdir_make();
    write_file(&t, "a.token", "alpha");
    write_file(&t, "b.token", "beta\n");
    write_file(&t, "same.token", " alpha \n");
    write_file(&t, "empty", " \n");
    write_file(&t, "two", "a\nb\n");
    write_file(&t, "kubeconfig", "{}");
    return t;
}

static enum err_code load(const struct tempdir *t, const char *text, struct settings **ret,
                          struct buf *errors)
{
    char path[400];
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/heald.cfg", t->path);
    write_file(t, "heald.cfg", text);
    enum err_code code = settings_load(ret, path, errors, &e);
    cr_assert_eq(code, e.code);
    return code;
}

Test(settings, an_empty_file_gives_the_defaults)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(settings_freep) struct settings *s = NULL;
    cr_assert_eq(load(&t, "", &s, NULL), ERR_OK);
    cr_assert_str_eq(s->listen, "127.0.0.1:9798");
    cr_assert_eq(s->tls, TLS_OFF);
    cr_assert_eq(s->limits.body_bytes, 256ll << 20);
    cr_assert_eq(s->limits.in_flight_bytes, 8ll << 20);
    cr_assert_eq(s->limits.alert_bytes, 64 << 10);
    cr_assert_eq(s->limits.labels, 64);
    cr_assert_eq(s->limits.label_bytes, 4096);
    cr_assert_eq(s->limits.annotation_bytes, 16384);
    cr_assert_eq(s->limits.depth, 16);
    cr_assert_eq(s->limits.connections, 256);
    cr_assert_eq(s->limits.header_ms, 10000);
    cr_assert_eq(s->limits.body_ms, 60000);
    cr_assert_eq(s->limits.drain_ms, 25000);
    cr_assert_eq(s->limits.workers, 6);
    cr_assert_eq(s->log_level, LOG_INFO);
    cr_assert_eq(s->log_format, LOG_LOGFMT);
    cr_assert_eq(s->sources_len, 1u);
    cr_assert_str_eq(s->sources[0].scope.name, "alertmanager");
    cr_assert_eq(s->sources[0].scope.kind, SOURCE_ALERTMANAGER);
    cr_assert_null(s->prometheus.url);
    cr_assert_eq(settings_check(s, NULL, NULL), ERR_OK);
}

Test(settings, what_a_source_may_send_follows_from_its_type_and_from_others)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(settings_freep) struct settings *one = NULL, *two = NULL;
    cr_assert_eq(load(&t, "sources = ( { name = \"am\"; } );", &one, NULL), ERR_OK);
    cr_assert_eq(one->sources[0].limits.rate, INT64_MAX);
    cr_assert_eq(one->sources[0].limits.share, 100);
    cr_assert_eq(
        load(&t,
             "sources = ( { name = \"am\"; limit = { rate = 7; }; }, { name = \"h\"; type = \"github\"; } );",
             &two, NULL),
        ERR_OK);
    cr_assert_eq(two->sources[0].limits.rate, 7);
    cr_assert_eq(two->sources[0].limits.burst, 70);
    cr_assert_eq(two->sources[1].limits.rate, 100);
    cr_assert_eq(two->sources[1].limits.burst, 1000);
    cr_assert_eq(two->sources[1].limits.share, 50);
}

Test(settings, no_file_gives_the_defaults_too)
{
    CLEANUP(settings_freep) struct settings *s = NULL;
    cr_assert_eq(settings_load(&s, NULL, NULL, NULL), ERR_OK);
    cr_assert_str_eq(s->journal, "journal.db");
    cr_assert_str_eq(s->policy, "policy.cfg");
}

Test(settings, paths_are_relative_to_the_file)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(settings_freep) struct settings *s = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    char want[400];
    cr_assert_eq(
        load(&t,
             "policy = \"/etc/policy.cfg\"; sources = ( { name = \"a\"; token_file = \"a.token\"; } );"
             "clusters = ( { name = \"c\"; kubeconfig = \"kubeconfig\"; } );",
             &s, &errors),
        ERR_OK, "%s", buf_text(&errors));
    snprintf(want, sizeof want, "%s/journal.db", t.path);
    cr_assert_str_eq(s->journal, want, "the default too");
    cr_assert_str_eq(s->policy, "/etc/policy.cfg");
    snprintf(want, sizeof want, "%s/a.token", t.path);
    cr_assert_str_eq(s->sources[0].token_file, want);
    snprintf(want, sizeof want, "%s/kubeconfig", t.path);
    cr_assert_str_eq(s->clusters[0].kubeconfig, want);
    cr_assert_eq(settings_override(s, "p.cfg", "j.db", NULL, NULL), ERR_OK);
    cr_assert_str_eq(s->policy, "p.cfg", "the command line's paths are as they are");
    cr_assert_str_eq(s->journal, "j.db");
}

Test(settings, every_key_is_read)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(settings_freep) struct settings *s = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(
        load(&t,
             "listen = \"[::1]:99\"; journal = \"j\"; policy = \"p\"; tls = \"off\";\n"
             "sources = ( { name = \"am\"; type = \"alertmanager\"; user = \"u\"; password_file = "
             "\"a.token\";\n"
             "  force = { cluster = \"local\"; }; only = [ \"namespace!=\\\"kube-system\\\"\" ];\n"
             "  may = { clusters = []; namespaces = [ \"demo\" ]; kinds = [ \"Deployment\" ]; }; } );\n"
             "operators = ( { name = \"oncall\"; token_file = \"b.token\"; roles = [ \"read\", \"act\", "
             "\"admin\" ]; } );\n"
             "clusters = ( { name = \"local\"; kubeconfig = \"kubeconfig\"; context = \"c\"; namespaces = [ "
             "\"demo\" ]; } );\n"
             "prometheus = { url = \"http://p:9090/x\"; token_file = \"a.token\"; ca_file = \"kubeconfig\"; "
             "tenant = \"t\"; };\n"
             "grafana = { url = \"https://g\"; token_file = \"a.token\"; };\n"
             "loki = { url = \"http://l:3100\"; tenant = \"t2\"; }; alertmanager = { url = "
             "\"http://am:9093\"; };\n"
             "probe_hosts = ( { url = \"https://shop/health\"; token_file = \"b.token\"; }, { url = "
             "\"http://10.0.0.5:8080\"; } );\n"
             "log = { level = \"debug\"; format = \"json\"; }; limits = { body = \"1MiB\"; header_time = "
             "\"3s\"; };\n",
             &s, &errors),
        ERR_OK, "%s", buf_text(&errors));
    cr_assert_str_eq(map_get(&s->sources[0].scope.force, "cluster"), "local");
    cr_assert_eq(s->sources[0].scope.only.len, 1u);
    cr_assert_eq(s->sources[0].scope.may_clusters.len, 0u);
    cr_assert_eq(s->sources[0].scope.may_kinds.len, 1u);
    cr_assert_eq(s->operators[0].roles, (unsigned)(ROLE_READ | ROLE_ACT | ROLE_ADMIN));
    cr_assert_str_eq(s->clusters[0].context, "c");
    cr_assert_str_eq(s->clusters[0].namespaces.list[0], "demo");
    cr_assert_str_eq(s->prometheus.tenant, "t");
    cr_assert_str_eq(s->grafana.url, "https://g");
    cr_assert_str_eq(s->loki.tenant, "t2");
    cr_assert_str_eq(s->alertmanager.url, "http://am:9093");
    cr_assert_eq(s->probe_hosts_len, 2u);
    cr_assert_str_eq(s->probe_hosts[0].url, "https://shop/health");
    cr_assert(s->probe_hosts[0].token_file[0] == '/', "relative to the file's folder");
    cr_assert_null(s->probe_hosts[1].token_file);
    cr_assert_eq(s->log_level, LOG_DEBUG);
    cr_assert_eq(s->log_format, LOG_JSON);
    cr_assert_eq(s->limits.body_bytes, 1 << 20);
    cr_assert_eq(s->limits.header_ms, 3000);
    cr_assert_eq(settings_check(s, &errors, NULL), ERR_OK, "%s", buf_text(&errors));
}

struct wrong {
    char text[240];
    char blamed[100];
};
ParameterizedTestParameters(settings, mistakes_are_named_with_their_line)
{
    static struct wrong cases[] = {
        { "lisen = \"x\";", "did you mean \"listen\"" },
        { "limits = { workers = 1; };", "workers" },
        { "limits = { body_time = \"none\"; };", "body_time" },
        { "tls = \"on\";", "\"terminated\"" },
        { "tls = { certificate = \"kubeconfig\"; };", "\"key\" is missing" },
        { "tls = { certificate = \"nowhere\"; key = \"nowhere\"; };", "nowhere\" cannot be read" },
        { "tls = \"terminated\";", "tls_proxies" },
        { "tls_proxies = [ \"10.0.0.1\" ];", "goes with tls" },
        { "tls = \"terminated\"; tls_proxies = [ \"proxy.example.com\" ];", "is no address" },
        { "tls = \"terminated\"; tls_proxies = [ \"10.0.0.0/33\" ];", "is no address" },
        { "sources = ( { token_file = \"a.token\"; } );", "\"name\" is missing" },
        { "sources = ( { name = \"a b\"; } );", "letters, digits" },
        { "sources = ( { name = \"a\"; }, { name = \"a\"; } );", "names are unique" },
        { "sources = ( { name = \"a\"; type = \"zabbix\"; } );", "zabbix" },
        { "sources = ( { name = \"a\"; token_file = \"nowhere\"; } );", "No such file" },
        { "sources = ( { name = \"a\"; token_file = \"empty\"; } );", "empty; write the credential" },
        { "sources = ( { name = \"a\"; token_file = \"two\"; } );", "one line" },
        { "sources = ( { name = \"a\"; user = \"u\"; } );", "go together" },
        { "sources = ( { name = \"a\"; password_file = \"a.token\"; } );", "go together" },
        { "sources = ( { name = \"a\"; user = \"u:v\"; password_file = \"a.token\"; } );", "no colon" },
        { "sources = ( { name = \"a\"; user = \"u\"; password_file = \"a.token\"; token_file = \"b.token\"; "
          "} );",
          "one credential" },
        { "sources = ( { name = \"a\"; only = [ \"x=~\\\"[\\\"\" ]; } );", "\"[\"" },
        { "operators = ( { name = \"o\"; token_file = \"a.token\"; roles = [ \"root\" ]; } );",
          "unknown role \"root\"" },
        { "operators = ( { name = \"o\"; token_file = \"a.token\"; roles = []; } );", "\"roles\" is empty" },
        { "operators = ( { name = \"o\"; token_file = \"a.token\"; roles = \"read\"; } );",
          "array of strings" },
        { "operators = ( { name = \"o\"; roles = [ \"read\" ]; } );", "\"token_file\" is missing" },
        { "clusters = ( { name = \"c\"; kubeconfig = \"nowhere\"; } );", "nowhere\" cannot be read" },
        { "clusters = ( { name = \"c\"; context = \"x\"; } );", "names a context of a kubeconfig" },
        { "clusters = ( { name = \"c\"; }, { name = \"c\"; } );", "names are unique" },
        { "prometheus = { token_file = \"a.token\"; };", "\"url\" is missing" },
        { "prometheus = { url = \"p:9090\"; };", "must be like" },
        { "prometheus = { url = \"http://\"; };", "must be like" },
        { "grafana = { url = \"http://admin:admin@g\"; };", "credentials into \"token_file\"" },
        { "grafana = { url = \"http://g\"; tenant = \"x\"; };", "unknown key \"tenant\"" },
        { "loki = { tenant = \"x\"; };", "\"url\" is missing" },
        { "alertmanager = { url = \"am:9093\"; };", "must be like" },
        { "probe_hosts = ( { url = \"shop.example.com\"; } );", "must be like" },
        { "probe_hosts = ( { url = \"http://u:p@shop\"; } );", "credentials into \"token_file\"" },
        { "probe_hosts = ( { url = \"http://shop\"; token_file = \"nowhere\"; } );", "nowhere" },
        { "probe_hosts = ( { token_file = \"a.token\"; } );", "\"url\" is missing" },
        { "log = { level = \"loud\"; };", "loud" },
        { "sources = ( { name = \"j\"; type = \"jenkins\"; secret_file = \"a.token\"; } );",
          "does not sign" },
        { "sources = ( { name = \"h\"; type = \"github\"; secret_file = \"nowhere\"; } );", "nowhere" },
        { "sources = ( { name = \"h\"; type = \"github\"; secret_file = \"a.token\"; token_file = "
          "\"a.token\"; } );",
          "has one credential" },
        { "sources = ( { name = \"h\"; type = \"github\"; header = \"X-Token\"; } );",
          "goes with \"token_file\"" },
        { "sources = ( { name = \"h\"; type = \"github\"; secret_file = \"a.token\"; timestamp_header = "
          "\"X\"; } );",
          "are for Grafana" },
        { "sources = ( { name = \"g\"; type = \"generic\"; } );", "needs map" },
        { "sources = ( { name = \"g\"; type = \"gitlab\"; map = { status = \"x\"; }; } );",
          "\"map\" is for" },
        { "sources = ( { name = \"g\"; type = \"generic\"; map = { labels = { a = \"b\"; }; }; } );",
          "no label is" },
        { "sources = ( { name = \"g\"; type = \"generic\"; map = { labels = { alertname = \"b..c\"; }; }; } "
          ");",
          "a key is empty" },
        { "sources = ( { name = \"g\"; type = \"generic\"; map = { labels = { alertname = \"b\"; }; run = [ "
          "\"x\" ]; }; } );",
          "none of the labels" },
        { "sources = ( { name = \"g\"; type = \"generic\"; map = { labels = [ \"a\" ]; }; } );",
          "a group of paths" },
        { "sources = ( { name = \"h\"; limit = { rate = 0; }; } );", "rate" },
        { "sources = ( { name = \"h\"; limit = { share = \"101%\"; }; } );", "share" },
        { "listen = 9798;", "listen" },
        { "@include \"other.cfg\"", "include" },
    };
    return cr_make_param_array(struct wrong, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct wrong *c, settings, mistakes_are_named_with_their_line)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct settings *s = NULL;
    char text[300];
    snprintf(text, sizeof text, "\n\n%s\n", c->text);
    cr_assert_eq(load(&t, text, &s, &errors), ERR_INVALID, "%s", c->text);
    cr_assert_null(s, "untouched on failure");
    cr_assert_not_null(strstr(buf_text(&errors), c->blamed), "'%s' should name '%s'", buf_text(&errors),
                       c->blamed);
    cr_assert_not_null(strstr(buf_text(&errors), "heald.cfg:3:"), "%s", buf_text(&errors));
}

Test(settings, all_mistakes_are_said_at_once)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct settings *s = NULL;
    cr_assert_eq(load(&t,
                      "lisen = \"x\";\nsources = (\n { name = \"a\"; token_file = \"empty\"; },\n { name = "
                      "\"a\"; } );\n"
                      "limits = { labels = 0; };\ngrafana = { url = \"g\"; };\n",
                      &s, &errors),
                 ERR_INVALID);
    static const char *const lines[] = { ".cfg:1:", ".cfg:3:", ".cfg:4:", ".cfg:5:", ".cfg:6:" };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_assert_not_null(strstr(buf_text(&errors), lines[i]), "%s in %s", lines[i], buf_text(&errors));
}

Test(settings, a_file_that_is_not_there_is_named)
{
    struct settings *s = NULL;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(settings_load(&s, "/nowhere/heald.cfg", &errors, &e), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(e.msg, "/nowhere/heald.cfg"));
    cr_assert_not_null(strstr(buf_text(&errors), "/nowhere/heald.cfg"));
    cr_assert_null(s);
}

/* ---- what may be reached from outside ---- */

struct outside {
    char text[300];
    char blamed[3][60]; /* "": nothing more */
};
#define SOURCES "sources = ( { name = \"am\"; token_file = \"a.token\"; } ); "
#define OPERATORS "operators = ( { name = \"o\"; token_file = \"b.token\"; roles = [ \"read\" ]; } ); "
#define PROXY "tls = \"terminated\"; tls_proxies = [ \"10.0.0.1\" ]; "
#define NOT_TLS "credentials would be sent in the clear"
ParameterizedTestParameters(settings, nothing_is_reachable_without_credentials_and_tls)
{
    static struct outside cases[] = {
        { "listen = \"0.0.0.0:1\";",
          { "\"alertmanager\" has no credential", "there is no operator", NOT_TLS } },
        { "listen = \"[::]:1\";", { "\"alertmanager\" has no credential", "there is no operator", NOT_TLS } },
        { "listen = \"10.0.0.1:1\"; " SOURCES OPERATORS, { NOT_TLS } },
        { "listen = \"0.0.0.0:1\"; " SOURCES PROXY, { "there is no operator" } },
        { "listen = \"0.0.0.0:1\"; " OPERATORS PROXY, { "\"alertmanager\" has no credential" } },
        { "listen = \"0.0.0.0:1\"; " SOURCES OPERATORS PROXY, { "" } },
        { "listen = \"127.9.9.9:1\";", { "" } },
        { "listen = \"[::1]:1\";", { "" } },
        { "listen = \"localhost:1\";", { "" } },
        { "listen = \"heald.example.com:1\";", { "cannot be used; write an IP address" } },
        { "listen = \"127.0.0.1\";", { "cannot be used" } },
        { "listen = \"127.0.0.1:70000\";", { "cannot be used" } },
        { "listen = \":9798\";", { "cannot be used" } },
        { "tls = { certificate = \"kubeconfig\"; key = \"kubeconfig\"; };",
          { "no certificate chain in PEM" } },
        { "sources = ( { name = \"a\"; token_file = \"a.token\"; }, { name = \"b\"; token_file = "
          "\"same.token\"; } );",
          { "source \"a\" and source \"b\" have the same credential" } },
        { SOURCES "operators = ( { name = \"o\"; token_file = \"a.token\"; roles = [ \"read\" ]; } );",
          { "source \"am\" and operator \"o\" have the same credential" } },
    };
    return cr_make_param_array(struct outside, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct outside *c, settings, nothing_is_reachable_without_credentials_and_tls)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(settings_freep) struct settings *s = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    size_t found = 0, lines = 0;
    cr_assert_eq(load(&t, c->text, &s, &errors), ERR_OK, "%s", buf_text(&errors));
    enum err_code code = settings_check(s, &errors, &e);
    for (; found < 3 && c->blamed[found][0]; found++)
        cr_assert_not_null(strstr(buf_text(&errors), c->blamed[found]), "'%s' should name '%s'",
                           buf_text(&errors), c->blamed[found]);
    for (const char *p = buf_text(&errors); *p; p++)
        lines += *p == '\n';
    cr_assert_eq(lines, found, "%s", buf_text(&errors));
    cr_assert_eq(code, found ? ERR_INVALID : ERR_OK);
    cr_assert_eq(found == 0, e.msg[0] == '\0');
}

Test(settings, the_command_line_is_checked_as_the_file_is)
{
    CLEANUP(tempdir_end) struct tempdir t = folder();
    CLEANUP(settings_freep) struct settings *s = NULL;
    cr_assert_eq(load(&t, "", &s, NULL), ERR_OK);
    cr_assert_eq(settings_override(s, NULL, NULL, "0.0.0.0:9798", NULL), ERR_OK);
    cr_assert_eq(settings_check(s, NULL, NULL), ERR_INVALID);
}

/* ---- addresses ---- */

struct ranged {
    char range[40], address[48];
    int inside;
};
ParameterizedTestParameters(settings, address_ranges_hold_what_they_say)
{
    static struct ranged cases[] = {
        { "10.0.0.7", "10.0.0.7:1", 1 },          { "10.0.0.7", "10.0.0.8:1", 0 },
        { "10.0.0.0/8", "10.255.1.2:1", 1 },      { "10.0.0.0/8", "11.0.0.0:1", 0 },
        { "10.0.0.128/25", "10.0.0.127:1", 0 },   { "10.0.0.128/25", "10.0.0.200:1", 1 },
        { "0.0.0.0/0", "203.0.113.9:1", 1 },      { "fd00::/8", "[fd12::1]:1", 1 },
        { "fd00::/8", "[fe80::1]:1", 0 },         { "fd00::/8", "10.0.0.1:1", 0 },
        { "10.0.0.7", "[::ffff:10.0.0.7]:1", 1 }, { "::1", "[::1]:1", 1 },
        { "fd00::1:0/112", "[fd00::1:9]:1", 1 },  { "fd00::1:0/113", "[fd00::1:8000]:1", 0 },
    };
    return cr_make_param_array(struct ranged, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct ranged *c, settings, address_ranges_hold_what_they_say)
{
    struct address_range range;
    struct address at;
    struct err e = ERR_INIT;
    cr_assert_eq(address_range_parse(&range, c->range, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(address_parse(&at, c->address, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(address_range_holds(&range, (struct sockaddr *)&at.at), c->inside == 1, "%s in %s",
                 c->address, c->range);
}

Test(settings, the_reference_names_every_key)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    config_reference(&out, "heald.cfg", settings_keys, 2);
    static const char *const words[] = { "`listen`",    "`token_file`", "`roles`", "`certificate`",
                                         "`in_flight`", "`may`",        "256MiB",  "`tenant`" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        cr_assert_not_null(strstr(buf_text(&out), words[i]), "%s in %s", words[i], buf_text(&out));
}

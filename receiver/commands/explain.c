/* heald explain: why would this alert do what? */
#include "receiver/commands/explain.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actions/http/http.h"
#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"
#include "receiver/decode/decoder.h"
#include "receiver/runtime/policy_file.h"

#define CONFIG_DEFAULT "heald.cfg"

struct options {
    const char *config, *policy, *file, *source;
    const char *incident; /* its alert, from the running heald */
    struct client_options client;
    bool live, json;
    char **labels;
    int labels_len;
};

struct alerts {
    struct alert *list;
    size_t len, cap;
};

static void alerts_release(struct alerts *a)
{
    for (size_t i = 0; i < a->len; i++)
        alert_release(&a->list[i]);
    free(a->list);
}

static int fail(const char *where, const struct buf *errors, const struct err *e)
{
    if (errors && errors->len)
        fputs(buf_text(errors), stderr);
    else
        fprintf(stderr, "heald: explain: %s%s%s\n", where, *where ? ": " : "", e->msg);
    return EXIT_NO;
}

/* "explain --source ci body.json" */
static bool is_file(const char *argument)
{
    return !strchr(argument, '=') && (strcmp(argument, "-") == 0 || access(argument, R_OK) == 0);
}

/* Incidents' ids begin with their time, which is a digit for long; a label that was cut short seldom does. */
static bool is_incident(const char *argument)
{
    return *argument >= '0' && *argument <= '9' && client_is_id(argument);
}

static int parse_options(int argc, char **argv, struct options *ret)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "policy", required_argument, NULL, 'p' },
                                             { "file", required_argument, NULL, 'f' },
                                             { "source", required_argument, NULL, 's' },
                                             { "live", no_argument, NULL, 'l' },
                                             { "url", required_argument, NULL, 'u' },
                                             { "token-file", required_argument, NULL, 't' },
                                             { "ca-file", required_argument, NULL, 'a' },
                                             { NULL, 0, NULL, 0 } };
    int c;
    opterr = 0;
    client_defaults(&ret->client);
    while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        const char **field = c == 'c'   ? &ret->config
                             : c == 'p' ? &ret->policy
                             : c == 'f' ? &ret->file
                             : c == 's' ? &ret->source
                             : c == 'u' ? &ret->client.url
                             : c == 't' ? &ret->client.token_file
                             : c == 'a' ? &ret->client.ca_file
                                        : NULL;
        if (field)
            *field = optarg;
        else if (c == 'l')
            ret->live = true;
        else if (c == 'o' && strcmp(optarg, "json") == 0)
            ret->json = true;
        else
            return usage_error("explain", "unknown option, or one without its value");
    }
    ret->labels = argv + optind;
    ret->labels_len = argc - optind;
    if (!ret->file && ret->labels_len == 1 && is_file(ret->labels[0])) {
        ret->file = ret->labels[0];
        ret->labels_len = 0;
    } else if (!ret->file && ret->labels_len == 1 && is_incident(ret->labels[0])) {
        ret->incident = ret->labels[0];
        ret->labels_len = 0;
    }
    if ((ret->labels_len > 0) + (ret->file != NULL) + (ret->incident != NULL) != 1)
        return usage_error("explain",
                           "give labels as NAME=VALUE, a file with a webhook's body, or an incident's id");
    if (!ret->config && access(CONFIG_DEFAULT, R_OK) == 0)
        ret->config = CONFIG_DEFAULT;
    if (!ret->config && (!ret->policy || ret->live))
        return usage_error("explain",
                           ret->live ? "--live needs heald.cfg: give --config FILE"
                                     : "there is no heald.cfg here: give --config FILE or --policy FILE");
    return EXIT_YES;
}

/* ---- alerts ---- */

static enum err_code keep_alert(void *ctx, struct alert *a, struct err *e)
{
    struct alerts *all = ctx;
    if (all->len == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 8;
        struct alert *more = realloc(all->list, cap * sizeof *more);
        if (!more) {
            alert_release(a);
            return err_set(e, ERR_NOMEM, "no memory for the alerts");
        }
        all->list = more;
        all->cap = cap;
    }
    all->list[all->len++] = *a;
    return ERR_OK;
}

static enum err_code from_labels(struct alerts *ret, const struct options *o, const char *source,
                                 struct err *e)
{
    struct alert a = ALERT_INIT;
    enum err_code code = ERR_OK;
    text_copy(a.source, sizeof a.source, source);
    a.starts_ms = (int64_t)time(NULL) * 1000;
    for (int i = 0; i < o->labels_len && !code; i++) {
        const char *equal = strchr(o->labels[i], '=');
        if (!equal || equal == o->labels[i])
            code = err_set(e, ERR_INVALID, "\"%s\" is no label; write NAME=VALUE", o->labels[i]);
        else
            code = map_set_len(&a.labels, o->labels[i], (size_t)(equal - o->labels[i]), equal + 1,
                               strlen(equal + 1), false, e);
    }
    if (!code)
        return keep_alert(ret, &a, e);
    alert_release(&a);
    return code;
}

static enum err_code from_file(struct alerts *ret, const char *file, const struct limits *limits,
                               const struct source_settings *source, struct err *e)
{
    CLEANUP(buf_release) struct buf body = BUF_INIT;
    const struct headers none = { .get = NULL };
    struct decoder d = { .alerts = NULL };
    enum err_code code =
        file_read(&body, strcmp(file, "-") == 0 ? "/dev/stdin" : file, (size_t)limits->body_bytes, e);
    if (!code)
        code = decoder_begin(&d, source, &none, limits, keep_alert, ret, e);
    if (!code)
        code = decoder_feed(&d, buf_text(&body), body.len, e);
    if (!code)
        code = decoder_end(&d, (int64_t)time(NULL) * 1000, e);
    decoder_release(&d);
    return code;
}

static enum err_code set_all(struct map *ret, const struct json *members, struct err *e)
{
    enum err_code code = ERR_OK;
    for (const struct json *m = json_first(members); m && !code; m = json_next(m))
        code = map_set(ret, json_name(m), json_string(m, ""), e);
    return code;
}

static const struct json *opening(const struct json_doc *doc)
{
    return json_at(json_get(json_root(doc), "alerts"), 0);
}

/* The incident as the running heald has it, with the alert that opened it. The exit status. */
static int fetch_incident(struct json_doc **ret, const struct options *o)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT, path = BUF_INIT;
    buf_addf(&path, "/api/v1/incidents/%s", o->incident);
    int status = client_send("explain", &o->client, "GET", buf_text(&path), NULL, ret, &text);
    if (status || (*ret && opening(*ret)))
        return status;
    fprintf(stderr,
            "heald: explain: incident %s has no alert: it was begun by hand, or its facts were removed\n",
            o->incident);
    return EXIT_NO;
}

static enum err_code from_incident(struct alerts *ret, const struct json_doc *doc, const char *source,
                                   struct err *e)
{
    struct alert a = ALERT_INIT;
    text_copy(a.source, sizeof a.source, source);
    a.starts_ms = (int64_t)time(NULL) * 1000;
    enum err_code code = set_all(&a.labels, json_get(opening(doc), "labels"), e);
    if (!code)
        code = set_all(&a.annotations, json_get(opening(doc), "annotations"), e);
    if (!code)
        return keep_alert(ret, &a, e);
    alert_release(&a);
    return code;
}

/* ---- policy and sources ---- */

struct world {
    struct settings *settings;
    struct policy *policy;
    const struct source **sources;
};

static void world_release(struct world *w)
{
    policy_free(w->policy);
    free(w->sources);
    settings_free(w->settings);
}

static int open_world(struct world *w, const struct options *o)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    if (settings_load(&w->settings, o->config, &errors, &e) != ERR_OK)
        return fail(o->config ? o->config : "", &errors, &e);
    const char *file = o->policy ? o->policy : w->settings->policy;
    if (policy_file_load(&w->policy, file, NULL, &errors, &e) != ERR_OK)
        return fail(file, &errors, &e);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
    w->sources = calloc(w->settings->sources_len + 1, sizeof *w->sources);
    for (size_t i = 0; w->sources && i < w->settings->sources_len; i++)
        w->sources[i] = &w->settings->sources[i].scope;
    w->policy->sources = w->sources;
    w->policy->sources_len = w->sources ? w->settings->sources_len : 0;
    w->policy->prometheus = w->settings->prometheus.url != NULL;
    w->policy->settle_ms = w->settings->alerts.settle_ms;
    w->policy->group_interval_ms = w->settings->alerts.group_interval_ms;
    return EXIT_YES;
}

/* The one that was named, or the first. NULL after an error. */
static const struct source_settings *choose_source(const struct world *w, const char *name)
{
    for (size_t i = 0; i < w->settings->sources_len; i++)
        if (!name || strcmp(w->settings->sources[i].scope.name, name) == 0)
            return &w->settings->sources[i];
    fprintf(stderr, "heald: explain: there is no source \"%s\"; the names stand in sources of heald.cfg\n",
            name ? name : "");
    return NULL;
}

/* ---- the command ---- */

static int explain_all(const struct world *w, const struct options *o, const struct alerts *alerts)
{
    CLEANUP(json_writer_freep) struct json_writer *writer = NULL;
    struct err e = ERR_INIT;
    if (json_writer_new(&writer, &e) != ERR_OK)
        return fail("", NULL, &e);
    for (size_t i = 0; i < alerts->len; i++) {
        CLEANUP(json_freep) struct json_doc *doc = NULL;
        size_t len = 0;
        jw_reset(writer);
        explain_write(writer, w->settings, w->policy, &alerts->list[i], o->live);
        const char *text = jw_text(writer, &len);
        if (!text || json_parse(&doc, text, len, &e) != ERR_OK)
            return fail("", NULL, &e);
        if (o->json)
            puts(text);
        else
            explain_print(json_root(doc));
        if (!o->json && i + 1 < alerts->len)
            putchar('\n');
    }
    return EXIT_YES;
}

static enum err_code read_alerts(struct alerts *ret, const struct options *o, const struct json_doc *incident,
                                 const struct world *w, const struct source_settings *source, struct err *e)
{
    enum err_code code = incident  ? from_incident(ret, incident, source->scope.name, e)
                         : o->file ? from_file(ret, o->file, &w->settings->limits, source, e)
                                   : from_labels(ret, o, source->scope.name, e);
    for (size_t i = 0; i < ret->len && !code; i++)
        code = source_force(&source->scope, &ret->list[i].labels, e);
    return code;
}

int command_explain(int argc, char **argv)
{
    struct options o = { .config = NULL };
    CLEANUP(world_release) struct world w = { .settings = NULL };
    CLEANUP(alerts_release) struct alerts alerts = { .len = 0 };
    CLEANUP(json_freep) struct json_doc *incident = NULL;
    struct err e = ERR_INIT;
    int status = parse_options(argc, argv, &o);
    if (status == EXIT_YES)
        status = open_world(&w, &o);
    if (status == EXIT_YES && o.incident)
        status = fetch_incident(&incident, &o);
    if (status != EXIT_YES)
        return status;
    if (incident && !o.source)
        o.source = json_string(json_get(opening(incident), "source"), NULL);
    const struct source_settings *source = choose_source(&w, o.source);
    if (!source)
        return EXIT_NO;
    enum err_code code = read_alerts(&alerts, &o, incident, &w, source, &e);
    if (!code && o.live)
        code = http_global_init(&e);
    if (code)
        return fail(o.file ? o.file : "", NULL, &e);
    if (alerts.len == 0)
        printf("no alert: source \"%s\" would be answered 200, and nothing would come of it\n",
               source->scope.name);
    status = explain_all(&w, &o, &alerts);
    if (o.live)
        http_global_cleanup();
    return status;
}

#include "receiver/commands/client.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/http/http.h"
#include "receiver/commands/commands.h"
#include "receiver/runtime/policy_file.h"

#define URL_DEFAULT "http://127.0.0.1:9798"
#define TOKEN_BYTES_MAX 8192u

static const char *from_environment(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && value[0] ? value : fallback;
}

void client_defaults(struct client_options *ret)
{
    *ret = (struct client_options){ .url = from_environment("HEALD_URL", URL_DEFAULT),
                                    .token_file = from_environment("HEALD_TOKEN_FILE", NULL),
                                    .ca_file = from_environment("HEALD_CA_FILE", NULL) };
}

static bool listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = list; (p = strstr(p, name)); p += len)
        if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}

/* Where the value of a long option goes; NULL: this command does not have it. */
static const char **option_of(struct client_options *o, const char *name, const char *also)
{
    const struct {
        const char *name;
        const char **value;
        bool always;
    } options[] = {
        { "url", &o->url, true },
        { "token-file", &o->token_file, true },
        { "ca-file", &o->ca_file, true },
        { "reason", &o->reason, false },
        { "environment", &o->environment, false },
        { "rule", &o->rule, false },
        { "namespace", &o->namespace, false },
        { "cluster", &o->cluster, false },
        { "plan", &o->plan, false },
        { "hash", &o->hash, false },
        { "for", &o->duration, false },
        { "outcome", &o->outcome, false },
        { "state", &o->state, false },
        { "limit", &o->limit, false },
        { "since", &o->since, false },
    };
    for (size_t k = 0; k < sizeof options / sizeof options[0]; k++)
        if (strcmp(options[k].name, name) == 0 && (options[k].always || listed(also, name)))
            return options[k].value;
    return NULL;
}

int client_parse_word(int argc, char **argv, const char *word, const char *also, struct client_options *ret)
{
    static const struct option options[] = {
        { "url", required_argument, NULL, 0 },         { "token-file", required_argument, NULL, 0 },
        { "ca-file", required_argument, NULL, 0 },     { "reason", required_argument, NULL, 0 },
        { "environment", required_argument, NULL, 0 }, { "rule", required_argument, NULL, 0 },
        { "namespace", required_argument, NULL, 0 },   { "cluster", required_argument, NULL, 0 },
        { "plan", required_argument, NULL, 0 },        { "hash", required_argument, NULL, 0 },
        { "for", required_argument, NULL, 0 },         { "outcome", required_argument, NULL, 0 },
        { "state", required_argument, NULL, 0 },       { "limit", required_argument, NULL, 0 },
        { "since", required_argument, NULL, 0 },       { NULL, 0, NULL, 0 },
    };
    client_defaults(ret);
    int c, at = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "o:", options, &at)) != -1) {
        const char **value = c == 0 ? option_of(ret, options[at].name, also) : NULL;
        if (value)
            *value = optarg;
        else if (c == 'o' && strcmp(optarg, "json") == 0)
            ret->json = true;
        else
            return usage_error(argv[0], "unknown option, or one without its value");
    }
    if (!word)
        return optind == argc ? EXIT_YES : usage_error(argv[0], "it takes options only");
    ret->word = optind < argc ? argv[optind] : NULL;
    char text[64];
    snprintf(text, sizeof text, "name one %s", word);
    return optind + 1 == argc ? EXIT_YES : usage_error(argv[0], text);
}

int client_parse(int argc, char **argv, bool takes_reason, struct client_options *ret)
{
    return client_parse_word(argc, argv, NULL, takes_reason ? "reason" : "", ret);
}

const char *client_body(struct json_writer *w, const char *key, ...)
{
    va_list args;
    jw_object(w);
    va_start(args, key);
    for (; key; key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        if (value)
            jw_kstring(w, key, value);
    }
    va_end(args);
    jw_object_end(w);
    return jw_text(w, NULL);
}

bool client_is_id(const char *text)
{
    size_t len = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz");
    return len > 0 && len < 24 && !text[len];
}

static void add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-._~:", c);
        if (plain)
            buf_addc(out, *text);
        else
            buf_addf(out, "%%%02X", c);
    }
}

void client_path(struct buf *out, const char *path, const char *key, ...)
{
    va_list args;
    char between = '?';
    buf_adds(out, path);
    va_start(args, key);
    for (; key; key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        if (!value)
            continue;
        buf_addf(out, "%c%s=", between, key);
        add_escaped(out, value);
        between = '&';
    }
    va_end(args);
}

int client_post(const char *command, const struct client_options *o, const char *path, const char *body,
                const char *done)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    if (!body)
        return usage_error(command, "an option's value is not valid UTF-8");
    int status = client_send(command, o, "POST", path, body, &doc, &text);
    if (status == EXIT_YES)
        puts(o->json ? buf_text(&text) : done);
    return status;
}

static enum err_code read_token(const char *file, struct buf *ret, struct err *e)
{
    enum err_code code = file ? file_read(ret, file, TOKEN_BYTES_MAX, e) : ERR_OK;
    while (!code && ret->len && strchr(" \t\r\n", ret->ptr[ret->len - 1]))
        ret->ptr[--ret->len] = '\0';
    return code;
}

/* What an RFC 9457 problem document says, else the status. */
static void say_problem(const char *command, const struct http_answer *a)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    const char *what = "";
    if (json_parse(&doc, buf_text(&a->body), a->body.len, NULL) == ERR_OK)
        what = json_string(json_get(json_root(doc), "detail"),
                           json_string(json_get(json_root(doc), "title"), ""));
    const char *hint =
        a->status == 401 ? "; give an operator's token by --token-file or HEALD_TOKEN_FILE" : "";
    fprintf(stderr, "heald: %s: answered %ld: %s%s\n", command, a->status, what, hint);
}

static enum err_code send_one(const struct client_options *o, const char *token, const char *method,
                              const char *path, const char *body, struct http_answer *ret, struct err *e)
{
    CLEANUP(http_freep) struct http *h = NULL;
    struct http_endpoint at = { .base_url = o->url,
                                .ca_file = o->ca_file,
                                .bearer = token[0] ? token : NULL };
    struct http_request r = { .method = method,
                              .path = path,
                              .content_type = body ? "application/json" : NULL,
                              .body = body,
                              .body_len = body ? strlen(body) : 0 };
    enum err_code code = http_global_init(e);
    if (!code)
        code = http_new(&h, e);
    if (!code)
        code = http_send(h, &at, &r, ret, e);
    return code;
}

int client_send(const char *command, const struct client_options *o, const char *method, const char *path,
                const char *body, struct json_doc **ret_doc, struct buf *ret_text)
{
    CLEANUP(buf_release) struct buf token = BUF_INIT;
    struct err e = ERR_INIT;
    struct http_answer a = HTTP_ANSWER_INIT;
    if (read_token(o->token_file, &token, &e) != ERR_OK) {
        fprintf(stderr, "heald: %s\n", e.msg);
        return EXIT_NO;
    }
    int status = EXIT_YES;
    if (send_one(o, buf_text(&token), method, path, body, &a, &e) != ERR_OK) {
        fprintf(stderr, "heald: %s; is heald running there? name another place by --url or HEALD_URL\n",
                e.msg);
        status = EXIT_UNREACHABLE;
    } else if (a.status < 200 || a.status > 299) {
        say_problem(command, &a);
        status = EXIT_NO;
    } else {
        buf_adds(ret_text, buf_text(&a.body));
        if (a.body.len && json_parse(ret_doc, buf_text(&a.body), a.body.len, &e) != ERR_OK)
            *ret_doc = NULL;
    }
    http_answer_release(&a);
    return status;
}

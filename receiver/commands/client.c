#include "receiver/commands/client.h"

#include <getopt.h>
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

int client_parse(int argc, char **argv, bool takes_reason, struct client_options *ret)
{
    static const struct option options[] = {
        { "url", required_argument, NULL, 'u' },
        { "token-file", required_argument, NULL, 't' },
        { "ca-file", required_argument, NULL, 'a' },
        { "reason", required_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    *ret = (struct client_options){ .url = from_environment("HEALD_URL", URL_DEFAULT),
                                    .token_file = from_environment("HEALD_TOKEN_FILE", NULL),
                                    .ca_file = from_environment("HEALD_CA_FILE", NULL) };
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (c == 'u')
            ret->url = optarg;
        else if (c == 't')
            ret->token_file = optarg;
        else if (c == 'a')
            ret->ca_file = optarg;
        else if (c == 'r' && takes_reason)
            ret->reason = optarg;
        else if (c == 'o' && strcmp(optarg, "json") == 0)
            ret->json = true;
        else
            return usage_error(argv[0], "unknown option, or one without its value");
    }
    return optind == argc ? EXIT_YES : usage_error(argv[0], "it takes options only");
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

/* heald heal: begin a plan for a target by hand. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"
#include "rules/model/kind.h"

/* "deployment/web" as kubectl has it: the kind's own name in front. */
static const char *split(const char *word, const char **ret_name)
{
    const char *slash = strchr(word, '/');
    size_t len = slash ? (size_t)(slash - word) : 0;
    if (!slash || !slash[1])
        return NULL;
    *ret_name = slash + 1;
    for (size_t k = 0; k < kinds_len; k++) {
        const char *const names[] = { kinds[k].word, kinds[k].brief, kinds[k].name };
        for (size_t n = 0; n < 3; n++)
            if (strlen(names[n]) == len && strncmp(names[n], word, len) == 0)
                return kinds[k].name;
    }
    return NULL;
}

int command_heal(int argc, char **argv)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct client_options o;
    const char *name = NULL;
    int status =
        client_parse_word(argc, argv, "target, as deployment/web", "reason rule plan namespace cluster", &o);
    const char *kind = status ? NULL : split(o.word, &name);
    if (status == EXIT_YES && !kind)
        status =
            usage_error("heal", "name the target as deployment/NAME, job/NAME, node/NAME or another kind");
    if (status == EXIT_YES && !o.rule == !o.plan)
        status = usage_error("heal", "name either a --rule or a --plan");
    if (status)
        return status;
    if (json_writer_new(&w, NULL) != ERR_OK)
        return EXIT_NO;
    const char *body =
        client_body(w, "reason", o.reason, "rule", o.rule, "plan", o.plan, "cluster", o.cluster, "namespace",
                    o.namespace                ? o.namespace
                    : kind_is_namespaced(kind) ? "default"
                                               : NULL,
                    "kind", kind, "name", name, NULL);
    if (!body)
        return usage_error("heal", "an option's value is not valid UTF-8");
    status = client_send("heal", &o, "POST", "/api/v1/heal", body, &doc, &text);
    if (status == EXIT_YES && o.json)
        puts(buf_text(&text));
    else if (status == EXIT_YES)
        printf("incident %s begins; every guard is judged before anything is done\n",
               json_string(json_get(doc ? json_root(doc) : NULL, "incident"), "?"));
    return status;
}

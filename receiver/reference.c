/* reference - prints the reference documents from the tables that the program itself uses: reference
 * --write|--check FOLDER FOLDER is the project's root. --check exits 1 and names each document that no longer
 * says what the tables say. */
#include <stdio.h>
#include <string.h>

#include "actions/catalogue.h"
#include "receiver/commands/commands.h"
#include "receiver/decode/event.h"
#include "receiver/rehearse/script.h"
#include "receiver/runtime/metrics.h"
#include "receiver/runtime/policy_file.h"
#include "receiver/runtime/settings.h"
#include "rules/base/json.h"
#include "rules/policy/config_schema.h"

#define DOCUMENT_MAX (1u << 20)

static void commands_reference(struct buf *out)
{
    buf_adds(out, "## Commands\n\n");
    for (const struct command *c = commands; c->name; c++)
        buf_addf(out, "### %s\n\n%s.\n\n```\n%s\n%s```\n\n", c->name, c->summary, c->usage, c->details);
}

static void receiver_document(struct buf *out)
{
    buf_adds(out, "# heald.cfg, commands and metrics\n\nPrinted from the tables that parse and serve them; "
                  "do not edit.\n\n");
    config_reference(out, "heald.cfg", settings_keys, 2);
    config_reference(out, "Tests of policies", script_keys, 2);
    buf_adds(out, "\n");
    sources_reference(out);
    buf_adds(out, "\n");
    commands_reference(out);
    buf_adds(out, "## Metrics\n\n");
    metrics_reference(out);
}

static void rules_document(struct buf *out)
{
    buf_adds(out, "# policy.cfg\n\nPrinted from the tables that parse it; do not edit.\n\n");
    config_reference(out, "policy.cfg", policy_keys, 2);
}

/* "Deployment|StatefulSet" as people write it. */
static void add_words(struct buf *out, const char *words)
{
    for (const char *c = words; *c; c++)
        buf_adds(out, *c == '|' ? ", " : (char[]){ *c, '\0' });
}

static void action_head(struct buf *out, const struct action_spec *s)
{
    static const char *const risks[] = { "read", "gentle", "disruptive", "dangerous" };
    static const char *const proofs[] = {
        [PROOF_RESTARTED_AT] = "the template carries the restart's time",
        [PROOF_TEMPLATE_HASH] = "the template has the intended hash",
        [PROOF_REPLICAS] = "`spec.replicas` is the intended number",
        [PROOF_POD_GONE] = "that pod, by its uid, is gone or terminating",
        [PROOF_CHANGE] = "every field has its new value",
    };
    buf_addf(out, "\n## %s\n\n%s Risk: %s. Needs: %s.\n\n", s->name, s->help, risks[s->risk], s->verbs);
    buf_adds(out, "For: ");
    add_words(out, s->kinds ? s->kinds : "Deployment|StatefulSet|DaemonSet");
    buf_addf(out, ". Proof: %s. Undo: %s.\n", proofs[s->proof], s->undo ? s->undo : "cannot be put back");
    buf_addf(out, "\n```\n%s\n```\n", s->example);
}

static void actions_document(struct buf *out)
{
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    buf_adds(out, "# Actions\n\nPrinted from the catalogue; do not edit. An action is used in a plan as `{ "
                  "do = \"NAME\"; ... }`.\n");
    for (size_t i = 0; i < len; i++) {
        action_head(out, &specs[i]);
        if (specs[i].params[0].name)
            buf_adds(out, "\n| parameter | values | default | |\n| --- | --- | --- | --- |\n");
        for (const struct action_param *p = specs[i].params; p->name; p++) {
            buf_addf(out, "| `%s` | ", p->name);
            if (p->type == PARAM_INT)
                buf_addf(out, "%lld to %lld", (long long)p->min, (long long)p->max);
            if (p->type == PARAM_TEXT)
                buf_addf(out, "text of at most %lld bytes", (long long)p->max);
            if (p->type == PARAM_CHOICE)
                add_words(out, p->choices);
            buf_addf(out, " | %s | %s |\n",
                     p->required       ? "required"
                     : p->default_text ? p->default_text
                                       : "",
                     p->help);
        }
    }
}

/* For editors and other programs. */
static void rules_schema(struct buf *out)
{
    struct json_writer *w = NULL;
    if (json_writer_new(&w, NULL) != ERR_OK) {
        out->failed = true;
        return;
    }
    config_schema_write(w, "policy.cfg", policy_keys);
    const char *text = jw_text(w, NULL);
    if (text)
        buf_addf(out, "%s\n", text);
    else
        out->failed = true;
    json_writer_free(w);
}

static void rules_vim(struct buf *out)
{
    config_vim(out, "Syntax of policy.cfg for vim", policy_keys);
}

static const struct {
    const char *file;
    void (*print)(struct buf *out);
} documents[] = {
    { "receiver/REFERENCE.md", receiver_document }, { "rules/REFERENCE.md", rules_document },
    { "rules/policy.schema.json", rules_schema },   { "rules/heald.vim", rules_vim },
    { "actions/REFERENCE.md", actions_document },
};

static bool write_document(const char *file, const struct buf *text)
{
    FILE *f = fopen(file, "w");
    if (!f || fwrite(buf_text(text), 1, text->len, f) != text->len || fclose(f) != 0) {
        fprintf(stderr, "reference: %s cannot be written\n", file);
        return false;
    }
    return true;
}

static bool check_document(const char *file, const struct buf *text)
{
    CLEANUP(buf_release) struct buf have = BUF_INIT;
    struct err e = ERR_INIT;
    if (file_read(&have, file, DOCUMENT_MAX, &e) == ERR_OK && strcmp(buf_text(&have), buf_text(text)) == 0)
        return true;
    fprintf(stderr,
            "reference: %s does not say what the tables say; renew it with: reference --write FOLDER\n",
            file);
    return false;
}

int main(int argc, char **argv)
{
    bool write = argc == 3 && strcmp(argv[1], "--write") == 0, good = true;
    if (argc != 3 || (!write && strcmp(argv[1], "--check") != 0)) {
        fprintf(stderr, "usage: reference --write|--check FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        CLEANUP(buf_release) struct buf text = BUF_INIT;
        CLEANUP(buf_release) struct buf file = BUF_INIT;
        buf_addf(&file, "%s/%s", argv[2], documents[i].file);
        documents[i].print(&text);
        if (!buf_ok(&text)) {
            fprintf(stderr, "reference: no memory for %s\n", documents[i].file);
            return 1;
        }
        good &= write ? write_document(buf_text(&file), &text) : check_document(buf_text(&file), &text);
    }
    return good ? 0 : 1;
}

/* A Kubernetes object from a file: YAML, or JSON, which is YAML too. Only what the stage needs is looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "receiver/rehearse/stage.h"
#include "receiver/runtime/policy_file.h"

#define MANIFEST_BYTES_MAX (1u << 20)
#define TEMPLATE_NAME_SIZE 31

static const yaml_node_t *member(yaml_document_t *d, const yaml_node_t *map, const char *name)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(d, p->key);
        if (key && key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, name) == 0)
            return yaml_document_get_node(d, p->value);
    }
    return NULL;
}

static const char *scalar(const yaml_node_t *n)
{
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static enum err_code replace(char **field, const char *value, struct err *e)
{
    char *copy = value ? strdup(value) : NULL;
    if (value && !copy)
        return err_set(e, ERR_NOMEM, "no memory for a manifest");
    if (copy) {
        free(*field);
        *field = copy;
    }
    return ERR_OK;
}

/* Who manages it, as heald would say: Helm and Argo CD by their marks, controllers by reference. */
static void read_owner(yaml_document_t *d, const yaml_node_t *meta, char ret[256])
{
    const yaml_node_t *labels = member(d, meta, "labels"), *annotations = member(d, meta, "annotations");
    const char *helm = scalar(member(d, annotations, "meta.helm.sh/release-name"));
    const char *argo = scalar(member(d, annotations, "argocd.argoproj.io/tracking-id"));
    const char *by = scalar(member(d, labels, "app.kubernetes.io/managed-by"));
    ret[0] = '\0';
    if (argo)
        snprintf(ret, 256, "Argo CD application %.200s", argo);
    else if (helm || (by && strcmp(by, "Helm") == 0))
        snprintf(ret, 256, "Helm release %.200s", helm ? helm : "");
}

static enum err_code read_labels(struct map *ret, yaml_document_t *d, const yaml_node_t *labels,
                                 struct err *e)
{
    enum err_code code = ERR_OK;
    if (!labels || labels->type != YAML_MAPPING_NODE)
        return ERR_OK;
    const yaml_node_pair_t *end = labels->data.mapping.pairs.top;
    for (const yaml_node_pair_t *p = labels->data.mapping.pairs.start; p < end && !code; p++) {
        const char *name = scalar(yaml_document_get_node(d, p->key)),
                   *value = scalar(yaml_document_get_node(d, p->value));
        if (name && value)
            code = map_set(ret, name, value, e);
    }
    return code;
}

#define DEPTH_MAX 64u

/* FNV-1a over all that stands below a node. */
static uint64_t sum_of(yaml_document_t *d, const yaml_node_t *n, uint64_t sum, unsigned depth)
{
    if (!n || depth > DEPTH_MAX)
        return sum;
    sum = (sum ^ (uint64_t)n->type) * 1099511628211u;
    if (n->type == YAML_SCALAR_NODE)
        for (size_t i = 0; i < n->data.scalar.length; i++)
            sum = (sum ^ n->data.scalar.value[i]) * 1099511628211u;
    if (n->type == YAML_SEQUENCE_NODE)
        for (const yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
            sum = sum_of(d, yaml_document_get_node(d, *i), sum, depth + 1);
    if (n->type == YAML_MAPPING_NODE)
        for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
            sum = sum_of(d, yaml_document_get_node(d, p->key), sum, depth + 1);
            sum = sum_of(d, yaml_document_get_node(d, p->value), sum, depth + 1);
        }
    return sum;
}

/* A name for the template: the first container's image without its registry. */
static enum err_code read_template(struct script_object *ret, yaml_document_t *d, const yaml_node_t *template,
                                   struct err *e)
{
    const yaml_node_t *containers = member(d, member(d, template, "spec"), "containers"), *first = NULL;
    if (containers && containers->type == YAML_SEQUENCE_NODE &&
        containers->data.sequence.items.start < containers->data.sequence.items.top)
        first = yaml_document_get_node(d, *containers->data.sequence.items.start);
    const char *image = scalar(member(d, first, "image"));
    const char *slash = image ? strrchr(image, '/') : NULL;
    char name[TEMPLATE_NAME_SIZE];
    if (!image)
        return ERR_OK;
    ret->template_sum = sum_of(d, template, 14695981039346656037u, 0);
    text_copy(name, sizeof name, slash ? slash + 1 : image);
    return replace(&ret->template, name, e);
}

static enum err_code read_object(struct script_object *ret, yaml_document_t *d, struct err *e)
{
    const yaml_node_t *root = yaml_document_get_root_node(d), *meta = member(d, root, "metadata");
    const char *name = scalar(member(d, meta, "name")), *kind = scalar(member(d, root, "kind"));
    const char *replicas = scalar(member(d, member(d, root, "spec"), "replicas"));
    const char *ignored = scalar(member(d, member(d, meta, "annotations"), "heald.dev/ignore"));
    char owner[256];
    if (!name || !kind)
        return err_set(e, ERR_INVALID,
                       "%s: it has no kind or no metadata.name; it must be one Kubernetes object",
                       ret->manifest);
    read_owner(d, meta, owner);
    enum err_code code = replace(&ret->name, name, e);
    if (!code)
        code = replace(&ret->kind, kind, e);
    if (!code)
        code = replace(&ret->namespace, scalar(member(d, meta, "namespace")), e);
    if (!code)
        code = read_template(ret, d, member(d, member(d, root, "spec"), "template"), e);
    if (!code && owner[0])
        code = replace(&ret->owner, owner, e);
    if (!code)
        code = read_labels(&ret->labels, d, member(d, meta, "labels"), e);
    if (replicas)
        ret->replicas = strtoll(replicas, NULL, 10);
    ret->ignored |= ignored && strcmp(ignored, "true") == 0;
    return code;
}

enum err_code manifest_read(struct script_object *ret, const char *folder, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    char file[4096];
    snprintf(file, sizeof file, "%s/%s", folder, ret->manifest);
    enum err_code code =
        file_read(&text, ret->manifest[0] == '/' ? ret->manifest : file, MANIFEST_BYTES_MAX, e);
    if (code)
        return code;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return err_set(e, ERR_NOMEM, "no memory for a manifest");
    yaml_parser_set_input_string(&parser, (const unsigned char *)buf_text(&text), text.len);
    if (yaml_parser_load(&parser, &document)) {
        code = read_object(ret, &document, e);
        yaml_document_delete(&document);
    } else {
        code = err_set(e, ERR_INVALID, "%s:%zu: %s", ret->manifest, parser.problem_mark.line + 1,
                       parser.problem ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    return code;
}

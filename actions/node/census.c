/* actions/node/census.c */
#include "actions/node/census.h"

#include <string.h>

struct census {
    const char *name;    /* the node in question */
    const char *version; /* of its kubelet */
    unsigned nodes, not_ready, usable_others;
    bool versions_differ;
};

static bool is_ready(const struct json *node)
{
    const struct json *list = json_path(node, "status.conditions");
    for (const struct json *c = json_first(list); c; c = json_next(c))
        if (strcmp(json_string(json_get(c, "type"), ""), "Ready") == 0)
            return strcmp(json_string(json_get(c, "status"), ""), "True") == 0;
    return false;
}

static bool count(void *ctx, const struct json *node)
{
    struct census *n = ctx;
    bool ready = is_ready(node), taken = json_bool(json_path(node, "spec.unschedulable"), false);
    n->nodes++;
    n->not_ready += !ready;
    if (strcmp(json_string(json_path(node, "metadata.name"), ""), n->name) != 0)
        n->usable_others += ready && !taken;
    if (strcmp(json_string(json_path(node, "status.nodeInfo.kubeletVersion"), ""), n->version) != 0)
        n->versions_differ = true;
    return true;
}

/* Somebody else is about to take the node away. */
static const char *claimed(const struct json *node)
{
    static const char *const marks[] = { "ToBeDeletedByClusterAutoscaler",
                                         "DeletionCandidateOfClusterAutoscaler", "karpenter.sh/disrupted",
                                         "karpenter.sh/disruption",
                                         "node.cluster.x-k8s.io/outdated-revision" };
    const struct json *taints = json_path(node, "spec.taints");
    for (const struct json *t = json_first(taints); t; t = json_next(t))
        for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++)
            if (strcmp(json_string(json_get(t, "key"), ""), marks[k]) == 0)
                return marks[k];
    return NULL;
}

bool census_allows(const struct change_ask *a, struct change_draft *d, int64_t left)
{
    struct census n = { .name = a->target->name,
                        .version = json_string(json_path(a->object, "status.nodeInfo.kubeletVersion"), "") };
    struct err e = ERR_INIT;
    const char *mark = claimed(a->object);
    enum err_code code = kube_list(a->cluster, a->http, "Node", NULL, NULL, count, &n, NULL, &e);
    if (code == ERR_REFUSED)
        draft_refuse(d, "the cluster's nodes cannot be counted: %s", e.msg);
    else if (code)
        draft_unread(d, code, &e);
    else if (mark)
        draft_refuse(d, "it has the taint \"%s\": an autoscaler or an upgrade is at work on it", mark);
    else if (n.versions_differ)
        draft_refuse(d, "the nodes' versions differ: an upgrade is under way");
    else if (n.not_ready * 100 > n.nodes * NOT_READY_PERCENT_MAX && n.not_ready > 1)
        draft_refuse(d, "%u of %u nodes are not ready, more than %d%%: then the network is the fault",
                     n.not_ready, n.nodes, NOT_READY_PERCENT_MAX);
    else if (n.usable_others < left)
        draft_refuse(d, "it would leave %u nodes that are ready and take pods, fewer than %lld",
                     n.usable_others, (long long)left);
    else
        return true;
    return false;
}

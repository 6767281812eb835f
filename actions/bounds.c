#include "actions/bounds.h"

#include <stdio.h>
#include <string.h>

/* ---- YAML ---- */

/* A double-quoted text of YAML: what may stand in names and expressions needs two escapes. */
static void add_quoted(struct buf *ret, const char *text)
{
    buf_addc(ret, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_addc(ret, '\\');
        buf_addc(ret, *text);
    }
    buf_addc(ret, '"');
}

/* Lines of a literal block, indented. */
static void add_block(struct buf *ret, const char *text)
{
    buf_adds(ret, "|-\n");
    while (*text) {
        size_t len = strcspn(text, "\n");
        buf_addf(ret, "      %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void add_head(struct buf *ret, const char *api, const char *kind, const char *name, const char *suffix,
                     const char *namespace)
{
    buf_addf(ret, "---\napiVersion: %s\nkind: %s\nmetadata:\n  name: \"%s%s\"\n", api, kind, name, suffix);
    if (namespace)
        buf_addf(ret, "  namespace: \"%s\"\n", namespace);
}

/* ---- roles ---- */

#define RBAC_API "rbac.authorization.k8s.io/v1"

enum part { PART_LOOK, PART_ACT, PART_CLUSTER, PARTS };
static const char *const suffixes[PARTS] = { "-look", "-act", "-cluster" };

static enum part part_of(const struct right *r)
{
    return !right_has_namespace(r) ? PART_CLUSTER : right_reads(r) ? PART_LOOK : PART_ACT;
}

static bool same_thing(const struct right *a, const struct right *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->resource, b->resource) == 0 &&
           strcmp(a->subresource, b->subresource) == 0;
}

/* One rule a resource, with all verbs that this part has of it. */
static void add_rule(struct buf *ret, const struct rights *all, size_t first, enum part part)
{
    const struct right *r = &all->list[first];
    size_t verbs = 0;
    buf_addf(ret, "- { apiGroups: [\"%s\"], resources: [\"%s%s%s\"], verbs: [", r->group, r->resource,
             r->subresource[0] ? "/" : "", r->subresource);
    for (size_t i = first; i < all->len; i++)
        if (part_of(&all->list[i]) == part && same_thing(r, &all->list[i]))
            buf_addf(ret, "%s\"%s\"", verbs++ ? ", " : "", all->list[i].verb);
    buf_adds(ret, "] }\n");
}

static bool seen_before(const struct rights *all, size_t index, enum part part)
{
    for (size_t i = 0; i < index; i++)
        if (part_of(&all->list[i]) == part && same_thing(&all->list[i], &all->list[index]))
            return true;
    return false;
}

static bool has_part(const struct rights *all, enum part part)
{
    for (size_t i = 0; i < all->len; i++)
        if (part_of(&all->list[i]) == part)
            return true;
    return false;
}

static void add_role(struct buf *ret, const struct bounds *b, enum part part)
{
    add_head(ret, RBAC_API, "ClusterRole", b->name, suffixes[part], NULL);
    buf_adds(ret, "rules:\n");
    for (size_t i = 0; i < b->rights->len; i++)
        if (part_of(&b->rights->list[i]) == part && !seen_before(b->rights, i, part))
            add_rule(ret, b->rights, i, part);
}

/* namespace NULL: in all of them. */
static void add_binding(struct buf *ret, const struct bounds *b, enum part part, const char *namespace)
{
    static const char account[] = "system:serviceaccount:";
    bool is_account = strncmp(b->user, account, sizeof account - 1) == 0;
    const char *name = is_account ? b->user + sizeof account - 1 : "", *colon = strchr(name, ':');
    add_head(ret, RBAC_API, namespace ? "RoleBinding" : "ClusterRoleBinding", b->name, suffixes[part],
             namespace);
    buf_addf(ret, "roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: \"%s%s\" }\n",
             b->name, suffixes[part]);
    if (colon)
        buf_addf(ret, "subjects: [{ kind: ServiceAccount, namespace: \"%.*s\", name: \"%s\" }]\n",
                 (int)(colon - name), name, colon + 1);
    else {
        buf_adds(ret, "subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: ");
        add_quoted(ret, b->user);
        buf_adds(ret, " }]\n");
    }
}

static void add_bindings(struct buf *ret, const struct bounds *b, enum part part)
{
    const char *const *list = part == PART_ACT && b->act_in_len ? b->act_in : b->namespaces;
    size_t len = part == PART_ACT && b->act_in_len ? b->act_in_len : b->namespaces_len;
    if (len == 0 || part == PART_CLUSTER)
        add_binding(ret, b, part, NULL);
    for (size_t i = 0; part != PART_CLUSTER && i < len; i++)
        if (part == PART_ACT ? policy_may_act(b->policy, b->cluster, list[i])
                             : policy_may_look(b->policy, b->cluster, list[i]))
            add_binding(ret, b, part, list[i]);
}

/* Writing to what is in no namespace, where no environment acts on that. */
static void drop_idle(struct rights *r, const struct bounds *b)
{
    bool acts = policy_may_act(b->policy, b->cluster, "");
    for (size_t i = 0; !acts && i < r->len;)
        if (!right_has_namespace(&r->list[i]) && !right_reads(&r->list[i]))
            r->list[i] = r->list[--r->len];
        else
            i++;
}

enum err_code bounds_roles(struct buf *ret, const struct bounds *b, struct err *e)
{
    struct rights rights = *b->rights;
    struct bounds kept = *b;
    kept.rights = &rights;
    b = &kept;
    drop_idle(&rights, b);
    for (enum part part = PART_LOOK; part < PARTS; part++)
        if (has_part(b->rights, part)) {
            add_role(ret, b, part);
            add_bindings(ret, b, part);
        }
    return buf_ok(ret) ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for the roles");
}

/* ---- admission ---- */

/* The request in one word: "UPDATE apps/deployments/scale", "DELETE pods". */
#define WHAT                                                                                                 \
    "request.operation + \" \" + (request.resource.group == \"\" ? \"\" : request.resource.group + \"/\") "  \
    "+ "                                                                                                     \
    "request.resource.resource + (request.?subResource.orValue(\"\") == \"\" ? \"\" : \"/\" + "              \
    "request.subResource)"

#define WHAT_SIZE (32 + 3 * RIGHT_WORD_SIZE)
static const char *what_of(char ret[WHAT_SIZE], const struct right *r)
{
    const char *operation = strcmp(r->verb, "create") == 0   ? "CREATE"
                            : strcmp(r->verb, "delete") == 0 ? "DELETE"
                                                             : "UPDATE";
    snprintf(ret, WHAT_SIZE, "%s %s%s%s%s%s", operation, r->group, r->group[0] ? "/" : "", r->resource,
             r->subresource[0] ? "/" : "", r->subresource);
    return ret;
}

static void add_validation(struct buf *ret, const char *expression, const char *message)
{
    buf_adds(ret, "  - expression: ");
    add_block(ret, expression);
    buf_addf(ret, "    message: \"heald is not to change this: %s\"\n", message);
}

/* Only what the policy's actions write. */
static void add_list(struct buf *ret, const struct rights *all)
{
    char what[WHAT_SIZE];
    CLEANUP(buf_release) struct buf list = BUF_INIT;
    for (size_t i = 0; i < all->len; i++)
        if (!right_reads(&all->list[i]))
            buf_addf(&list, "%s\"%s\"", list.len ? ",\n  " : "", what_of(what, &all->list[i]));
    CLEANUP(buf_release) struct buf expression = BUF_INIT;
    buf_addf(&expression, "variables.what in [\n  %s]", buf_text(&list));
    add_validation(ret, buf_text(&expression), "no action of its policy writes that");
    ret->failed = ret->failed || !buf_ok(&list) || !buf_ok(&expression);
}

/* What a write of the object itself changes beside what it is for: heald's own notes, and what the server
 * keeps there. */
static const char *const always[] = {
    "metadata.annotations.{heald.dev/*},metadata.annotations.{deprecated.daemonset.template.generation}",
    "metadata.managedFields,metadata.generation,metadata.resourceVersion",
};

static bool patches(const struct action_spec *action, const struct right *r)
{
    struct rights own = { .len = 0 };
    if (rights_add(&own, action->verbs, "", NULL) != ERR_OK)
        return false;
    for (size_t i = 0; i < own.len; i++)
        if (right_equal(&own.list[i], r))
            return true;
    return false;
}

/* "/spec/template/spec/containers/0/x" as the catalogue writes it: "spec.template.spec.containers[].x". */
static void add_pointer(struct buf *ret, const char *pointer)
{
    bool first = true;
    while (*pointer == '/') {
        size_t len = strcspn(pointer + 1, "/");
        bool index = strspn(pointer + 1, "0123456789-") == len;
        if (index)
            buf_adds(ret, "[]");
        else
            buf_addf(ret, "%s{%.*s}", first ? "" : ".", (int)len, pointer + 1);
        first = false;
        pointer += len + 1;
    }
}

/* What the environments that act let action `patch` set. */
static void add_listed(struct buf *ret, const struct policy *p)
{
    for (size_t i = 0; i < p->environments_len; i++)
        for (size_t k = 0; p->environments[i].mode == MODE_ACT && k < p->environments[i].patch.len; k++) {
            buf_adds(ret, ret->len ? "," : "");
            add_pointer(ret, p->environments[i].patch.list[k]);
        }
}

static enum err_code add_fields(struct buf *ret, const struct bounds *b, const struct used_actions *used,
                                const struct right *r, struct err *e)
{
    CLEANUP(buf_release) struct buf listed = BUF_INIT;
    const char *paths[ACTIONS_MAX + 2] = { always[0], always[1] };
    char what[WHAT_SIZE];
    size_t len = 2;
    if (r->subresource[0]) {
        paths[0] = "spec.replicas";
        len = 1;
    }
    add_listed(&listed, b->policy);
    for (size_t i = 0; !r->subresource[0] && i < b->policy->actions_len && i < ACTIONS_MAX; i++) {
        const struct action_spec *action = &b->policy->actions[i];
        if (used->written[i] && action->changes && patches(action, r))
            paths[len++] = action->listed ? buf_text(&listed) : action->changes;
    }
    CLEANUP(buf_release) struct buf expression = BUF_INIT;
    buf_addf(&expression, "variables.what != \"%s\" || (\n", what_of(what, r));
    if (r->subresource[0])
        buf_adds(&expression, "object.spec[?\"replicas\"].orValue(0) > 0 &&\n");
    enum err_code code = bounds_equal_but(&expression, paths, len, e);
    buf_adds(&expression, ")");
    add_validation(ret, buf_text(&expression), "no action of its policy sets that field");
    ret->failed = ret->failed || !buf_ok(&expression);
    return code;
}

/* In pod templates. `pod` and `was` are their specs; `was` is empty for what is made. */
#define TEMPLATE(of)                                                                                         \
    "(request.operation == \"DELETE\" ? {} : request.resource.resource == \"cronjobs\"\n"                    \
    "  ? " of "[?\"spec\"][?\"jobTemplate\"][?\"spec\"][?\"template\"][?\"spec\"].orValue({})\n"             \
    "  : request.resource.resource == \"pods\" ? " of "[?\"spec\"].orValue({})\n"                            \
    "  : " of "[?\"spec\"][?\"template\"][?\"spec\"].orValue({}))"
#define CONTAINERS(of)                                                                                       \
    of "[?\"containers\"].orValue([]) + " of "[?\"initContainers\"].orValue([]) + " of                       \
       "[?\"ephemeralContainers\"].orValue([])"
#define REPOSITORY                                                                                           \
    "map(c, c.image.split(\"@\")[0]).map(i, i.lastIndexOf(\":\") > i.lastIndexOf(\"/\") ? i.substring(0, "   \
    "i.lastIndexOf(\":\")) : i)"

static const struct {
    const char *name, *expression;
} variables[] = {
    { "what", WHAT },
    { "pod", TEMPLATE("object") },
    { "was", "request.operation != \"UPDATE\" ? {} : " TEMPLATE("oldObject") },
    { "containers", CONTAINERS("variables.pod") },
    { "hadContainers", CONTAINERS("variables.was") },
    { "repositories", "variables.containers." REPOSITORY },
    { "hadRepositories", "variables.hadContainers." REPOSITORY },
};

static const struct {
    const char *expression, *message;
} template_bounds[] = {
    { "[\"hostNetwork\", \"hostPID\", \"hostIPC\"].all(k,\n"
      "  variables.pod[?k].orValue(false) == false || variables.was[?k].orValue(false) == true) &&\n"
      "variables.pod[?\"hostUsers\"].orValue(true) == variables.was[?\"hostUsers\"].orValue(true) &&\n"
      "variables.containers.all(c, c[?\"ports\"].orValue([]).all(p, p[?\"hostPort\"].orValue(0) == 0 ||\n"
      "  variables.hadContainers.exists(o, o[?\"ports\"].orValue([]).exists(q, q[?\"hostPort\"] == "
      "p[?\"hostPort\"]))))",
      "a new way to the host" },
    { "variables.pod[?\"volumes\"].orValue([]).all(v,\n"
      "  v in variables.was[?\"volumes\"].orValue([]) ||\n"
      "  v.all(k, k in [\"name\", \"configMap\", \"emptyDir\", \"downwardAPI\", \"persistentVolumeClaim\"]))",
      "a new volume of the host, a Secret or a driver" },
    { "variables.containers.all(c, c[?\"env\"].orValue([]).all(v, !has(v.valueFrom) || "
      "!has(v.valueFrom.secretKeyRef) ||\n"
      "  variables.hadContainers.exists(o, o[?\"env\"].orValue([]).exists(w, "
      "w[?\"valueFrom\"][?\"secretKeyRef\"] "
      "== v[?\"valueFrom\"][?\"secretKeyRef\"])))) &&\n"
      "variables.containers.all(c, c[?\"envFrom\"].orValue([]).all(v, !has(v.secretRef) ||\n"
      "  variables.hadContainers.exists(o, o[?\"envFrom\"].orValue([]).exists(w, w[?\"secretRef\"] == "
      "v[?\"secretRef\"])))) &&\n"
      "variables.pod[?\"imagePullSecrets\"].orValue([]).all(s, s in "
      "variables.was[?\"imagePullSecrets\"].orValue([]))",
      "a new reference to a Secret" },
    { "request.operation == \"CREATE\" || variables.repositories.all(r, r in variables.hadRepositories)",
      "an image of another repository" },
    { "request.operation == \"CREATE\"\n"
      "  ? variables.pod[?\"serviceAccountName\"].orValue(\"default\") == \"default\" || "
      "!variables.pod[?\"automountServiceAccountToken\"].orValue(true)\n"
      "  : [\"serviceAccountName\", \"serviceAccount\", "
      "\"automountServiceAccountToken\", \"securityContext\",\n"
      "  \"runtimeClassName\", \"shareProcessNamespace\"].all(k, variables.pod[?k] == variables.was[?k])",
      "the ServiceAccount, or the pods' security" },
    { "variables.containers.all(c, variables.hadContainers.exists(o, o.name == c.name)\n"
      "  ? variables.hadContainers.exists(o, o.name == c.name && o[?\"securityContext\"] == "
      "c[?\"securityContext\"])\n"
      "  : c[?\"securityContext\"].orValue({}).all(k, k in [\"runAsNonRoot\", \"readOnlyRootFilesystem\"]\n"
      "    || (k == \"allowPrivilegeEscalation\" && !c.securityContext.allowPrivilegeEscalation)\n"
      "    || (k == \"capabilities\" && !has(c.securityContext.capabilities.add))))",
      "a container's privileges" },
};

/* Pods that are taken away come again. */
#define CONTROLLED                                                                                           \
    "!(variables.what in [\"DELETE pods\"]) ||\n"                                                            \
    "oldObject.metadata[?\"ownerReferences\"].orValue([]).exists(o, o[?\"controller\"].orValue(false))"

/* Words of people to heald. */
#define SWITCHES                                                                                             \
    "request.operation != \"UPDATE\" || [\"heald.dev/ignore\", \"heald.dev/floor\", "                        \
    "\"heald.dev/no-rollback-past\"].all(k,\n"                                                               \
    "  object[?\"metadata\"][?\"annotations\"][?k] == oldObject[?\"metadata\"][?\"annotations\"][?k])"

static void add_match(struct buf *ret, const struct bounds *b)
{
    CLEANUP(buf_release) struct buf user = BUF_INIT;
    add_head(ret, "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", b->name, "-bounds", NULL);
    buf_adds(&user, "request.userInfo.username == ");
    add_quoted(&user, b->user);
    buf_adds(ret, "spec:\n"
                  "  failurePolicy: Fail\n"
                  "  matchConstraints:\n"
                  "    resourceRules:\n"
                  "    - { apiGroups: [\"*\"], apiVersions: [\"*\"], resources: [\"*/*\"], operations: "
                  "[\"CREATE\", \"UPDATE\", \"DELETE\", \"CONNECT\"] }\n"
                  "  matchConditions:\n"
                  "  - name: heald\n"
                  "    expression: ");
    add_block(ret, buf_text(&user));
    buf_adds(ret, "  variables:\n");
    for (size_t k = 0; k < sizeof variables / sizeof variables[0]; k++) {
        buf_addf(ret, "  - name: %s\n    expression: ", variables[k].name);
        add_block(ret, variables[k].expression);
    }
    ret->failed = ret->failed || !buf_ok(&user);
}

enum err_code bounds_admission(struct buf *ret, const struct bounds *b, struct err *e)
{
    struct used_actions used;
    enum err_code code = ERR_OK;
    policy_used_actions(b->policy, &used);
    add_match(ret, b);
    buf_adds(ret, "  validations:\n");
    add_list(ret, b->rights);
    for (size_t i = 0; !code && i < b->rights->len; i++)
        if (strcmp(b->rights->list[i].verb, "patch") == 0)
            code = add_fields(ret, b, &used, &b->rights->list[i], e);
    for (size_t k = 0; k < sizeof template_bounds / sizeof template_bounds[0]; k++)
        add_validation(ret, template_bounds[k].expression, template_bounds[k].message);
    add_validation(ret, CONTROLLED, "nothing would make that pod anew");
    add_validation(ret, SWITCHES, "what people tell heald by annotations");
    add_head(ret, "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", b->name, "-bounds",
             NULL);
    buf_addf(ret, "spec:\n  policyName: \"%s-bounds\"\n  validationActions: [\"Deny\"]\n", b->name);
    if (!code && !buf_ok(ret))
        code = err_set(e, ERR_NOMEM, "no memory for the policy of admission");
    return code;
}

/* actions/verify/status.c */
#include "actions/verify/status.h"

#include <string.h>

#include "rules/base/timetext.h"

const struct json *status_condition(const struct json *object, const char *type)
{
    const struct json *conditions = json_path(object, "status.conditions");
    for (const struct json *c = json_first(conditions); c; c = json_next(c))
        if (strcmp(status_text(c, "type"), type) == 0)
            return c;
    return NULL;
}

bool status_is(const struct json *condition, const char *status)
{
    return condition && strcmp(status_text(condition, "status"), status) == 0;
}

int64_t status_time(const struct json *time)
{
    int64_t ms = 0;
    const char *text = json_string(time, "");
    if (*text == '\0' || time_parse(&ms, text, strlen(text), NULL) != ERR_OK)
        return 0;
    return ms;
}

int32_t status_number(const struct json *object, const char *path, int32_t fallback)
{
    int64_t n = json_int(json_path(object, path), fallback);
    return n < 0 || n > INT32_MAX ? fallback : (int32_t)n;
}

const char *status_text(const struct json *object, const char *path)
{
    return json_string(json_path(object, path), "");
}

const char *status_label(const struct json *object, const char *name)
{
    return json_string(json_get(json_path(object, "metadata.labels"), name), "");
}

const char *status_annotation(const struct json *object, const char *name)
{
    return json_string(json_get(json_path(object, "metadata.annotations"), name), "");
}

bool status_ignored(const struct json *object)
{
    const char *value = status_annotation(object, "heald.dev/ignore");
    return *value != '\0' && strcmp(value, "false") != 0;
}

static bool value_in(const struct json *values, const char *value)
{
    for (const struct json *v = json_first(values); v; v = json_next(v))
        if (strcmp(json_string(v, ""), value) == 0)
            return true;
    return false;
}

/* One matchExpressions requirement. As in Kubernetes, NotIn also matches where the label is absent. */
static bool requirement_matches(const struct json *requirement, const struct json *labels)
{
    const char *op = status_text(requirement, "operator");
    const struct json *label = json_get(labels, status_text(requirement, "key"));
    const struct json *values = json_get(requirement, "values");
    if (strcmp(op, "In") == 0)
        return label && value_in(values, json_string(label, ""));
    if (strcmp(op, "NotIn") == 0)
        return !label || !value_in(values, json_string(label, ""));
    if (strcmp(op, "Exists") == 0)
        return label != NULL;
    if (strcmp(op, "DoesNotExist") == 0)
        return label == NULL;
    return false;
}

bool status_selects(const struct json *selector, const struct json *labels)
{
    const struct json *equal = json_get(selector, "matchLabels");
    const struct json *expressions = json_get(selector, "matchExpressions");
    if (json_len(equal) == 0 && json_len(expressions) == 0)
        return false;
    for (const struct json *m = json_first(equal); m; m = json_next(m)) {
        const struct json *label = json_get(labels, json_name(m));
        if (!label || strcmp(json_string(label, ""), json_string(m, "")) != 0)
            return false;
    }
    for (const struct json *r = json_first(expressions); r; r = json_next(r))
        if (!requirement_matches(r, labels))
            return false;
    return true;
}

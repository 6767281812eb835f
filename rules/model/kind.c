#include "rules/model/kind.h"

#include <string.h>

const struct kind kinds[] = {
    { "Deployment", "deployment", "deploy", "deployment", true, true, true },
    { "StatefulSet", "statefulset", "sts", "statefulset", true, true, true },
    { "DaemonSet", "daemonset", "ds", "daemonset", true, true, true },
    /* the label `job` is the scrape's */
    { "Job", "job", "job", "job_name", true, false, true },
    { "CronJob", "cronjob", "cj", "cronjob", true, false, true },
    { "Node", "node", "no", "node", false, false, false },
    { "HorizontalPodAutoscaler", "hpa", "hpa", "horizontalpodautoscaler", true, false, false },
    { "PersistentVolumeClaim", "persistentvolumeclaim", "pvc", "persistentvolumeclaim", true, false, false },
    { "Service", "service", "svc", "service", true, false, false },
    /* Argo CD's own metrics call it so */
    { "Application", "application", "app", "name", true, false, false },
};
const size_t kinds_len = sizeof kinds / sizeof kinds[0];

const struct kind *kind_find(const char *name)
{
    for (size_t k = 0; k < kinds_len; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    return NULL;
}

const struct kind *kind_by_word(const char *word)
{
    for (size_t k = 0; k < kinds_len; k++)
        if (strcmp(kinds[k].word, word) == 0 || strcmp(kinds[k].brief, word) == 0)
            return &kinds[k];
    return NULL;
}

const struct kind *kind_by_label(const char *label)
{
    for (size_t k = 0; k < kinds_len; k++)
        if (strcmp(kinds[k].label, label) == 0)
            return &kinds[k];
    return NULL;
}

bool kind_is_workload(const char *name)
{
    const struct kind *k = kind_find(name);
    return k && k->workload;
}

bool kind_is_namespaced(const char *name)
{
    const struct kind *k = kind_find(name);
    return !k || k->namespaced;
}

bool kind_among(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *k = names; k; k = strchr(k, '|') ? strchr(k, '|') + 1 : NULL)
        if (strncmp(k, name, len) == 0 && (k[len] == '\0' || k[len] == '|'))
            return true;
    return false;
}

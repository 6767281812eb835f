/* rules/model/cause.h - why a workload is in trouble, as far as the cluster's own status tells: evidence as
 * named fields, and the class of cause that they point to. Pure; plain data. */
#ifndef RULES_MODEL_CAUSE_H
#define RULES_MODEL_CAUSE_H

#include "rules/base/json.h"
#include "rules/model/target.h"

#define EVIDENCE_WORD_SIZE 64
#define EVIDENCE_MESSAGE_SIZE 192

enum cause {
    CAUSE_UNKNOWN, /* not looked at, or a fault whose reason is not in the table */
    CAUSE_NONE,    /* looked at, and nothing is wrong */
    CAUSE_CRASH,   /* a container ends by itself */
    CAUSE_OOM,     /* a container was killed for its memory */
    CAUSE_IMAGE,   /* an image cannot be had */
    CAUSE_CONFIG,  /* a container cannot be made as configured: no such ConfigMap, Secret, key, command */
    CAUSE_UNSCHEDULABLE, /* no node takes the pod */
    CAUSE_PROBE,         /* the kubelet kills it: its liveness or startup probe fails */
    CAUSE_NOT_READY,     /* it runs, but is not ready */
    CAUSE_QUOTA,         /* its pods are not made: a quota is used up */
    CAUSE_FORBIDDEN,     /* its pods are not made: refused by admission or pod security, or otherwise */
    CAUSE_NODE,          /* the node: evicted, lost, shut down, out of something */
    CAUSE_CREATING,      /* its containers are not begun: a volume or the network of the pod is missing */
};
#define CAUSE_WORDS                                                                                          \
    "unknown|none|crash|oom|image|config|unschedulable|probe|not_ready|quota|forbidden|node|creating"
const char *cause_name(enum cause c); /* "oom" */

/* Of the pod in the worst state, or of the workload itself. Texts come from the cluster: cut, and clean of
 * control characters. "" and -1: not known. */
struct evidence {
    enum cause cause;
    bool probed;                     /* the container has a liveness or startup probe */
    char reason[EVIDENCE_WORD_SIZE]; /* what its status says now: CrashLoopBackOff, Unschedulable, Evicted */
    char ended[EVIDENCE_WORD_SIZE];  /* why the container ended last: OOMKilled, Error, Completed */
    int32_t exit_code;               /* of that */
    int32_t restarts;
    char container[EVIDENCE_WORD_SIZE];
    char pod[OBJECT_NAME_SIZE];
    char node[OBJECT_NAME_SIZE];
    char message[EVIDENCE_MESSAGE_SIZE];
};
#define EVIDENCE_INIT ((struct evidence){ .exit_code = -1, .restarts = -1 })

/* The class that the fields (all but `cause`) point to; never CAUSE_NONE. */
enum cause cause_of(const struct evidence *v);

/* A field by the name that policies use, as text: "" when it is not known, NULL when there is no such field.
 * Numbers are written into `number`. */
#define EVIDENCE_WORDS "reason|ended|exit_code|restarts|container|pod|node|message"
#define EVIDENCE_NUMBER_SIZE 12
const char *evidence_field(const struct evidence *v, const char *name, char number[EVIDENCE_NUMBER_SIZE]);

/* One object with the cause's word and what is known ({"cause":"oom","reason":"CrashLoopBackOff",...}), and
 * back: unknown keys are ignored, a word of a newer release is CAUSE_UNKNOWN, NULL gives EVIDENCE_INIT. */
void evidence_write(struct json_writer *w, const struct evidence *v);
void evidence_read(struct evidence *ret, const struct json *j);

/* Bytes that are not UTF-8 become '?', so that the record can be written. */
void evidence_clean(struct evidence *v);

/* For people: "oom: container \"app\" of pod \"x\" on node \"n\", OOMKilled (exit code 137), 5 restarts". */
void evidence_say(char *ret, size_t size, const struct evidence *v);

#endif

/* rules/model/probe.h - a question to a system that is not Kubernetes: PromQL, LogQL or one HTTP GET, and its
 * answer.
 *
 * The core asks: an observe effect carries up to PROBES_MAX of them, filled in. actions/verify carries out,
 * the core compares. Only systems that heald.cfg names are asked. Plain data, crosses threads by value. */
#ifndef RULES_MODEL_PROBE_H
#define RULES_MODEL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#define PROBES_MAX 4          /* of one look at a target */
#define PROBE_TEXT_SIZE 1024  /* bytes of a query or URL, filled in */
#define PROBE_BODY_SIZE 256   /* bytes of the pattern of an HTTP body */
#define PROBE_ANSWER_SIZE 128 /* bytes of an answer's text for people */

enum probe_kind { PROBE_NONE, PROBE_PROMQL, PROBE_LOKI, PROBE_HTTP };

struct probe {
    enum probe_kind kind;
    char text[PROBE_TEXT_SIZE]; /* query or URL */
    char body[PROBE_BODY_SIZE]; /* HTTP: RE2 to look for in the first 64 KiB of the body; "" not looked at */
};

/* NO_DATA: no answer in time, an error, a partial result (warnings), NaN, something that is not UTF-8, a
 * system or host that heald.cfg does not name. It is never success. Queries: a status other than 200 is
 * NO_DATA. HTTP: any status is an answer; redirects are not followed. */
enum probe_state { PROBE_NO_DATA, PROBE_ANSWERED };

struct probe_answer {
    uint64_t key; /* probe_key() of the question */
    enum probe_state state;
    uint32_t series;              /* PromQL, LogQL: how many */
    double least, most;           /* of the series' newest values; 0 without a series */
    int32_t status;               /* HTTP */
    bool body_matches;            /* HTTP */
    int64_t at_ms;                /* wall time */
    char text[PROBE_ANSWER_SIZE]; /* "0.7 in 3 series", "503", or why there is no data */
};

/* Tells questions apart: kind, text and body. */
uint64_t probe_key(const struct probe *p);

#endif

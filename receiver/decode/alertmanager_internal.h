/* receiver/decode/alertmanager_internal.h - what the files of the decoder share: alertmanager.c is the body
 * and its grammar, alertmanager_alert.c one alert. */
#ifndef RECEIVER_DECODE_ALERTMANAGER_INTERNAL_H
#define RECEIVER_DECODE_ALERTMANAGER_INTERNAL_H

#include <yajl/yajl_parse.h>

#include "receiver/decode/alertmanager.h"
#include "receiver/decode/escapes.h"
#include "receiver/decode/yajl_memory.h"

#define DECODER_DEPTH_MAX 64u /* limits.depth is no more */
#define DECODER_SHOWN_MAX 64  /* bytes of a name in a message */

enum place { OUTSIDE, BODY, ALERTS, ALERT, LABELS, ANNOTATIONS, SKIPPED };
enum type { T_NULL, T_BOOL, T_NUMBER, T_STRING, T_OBJECT, T_ARRAY };
enum field { F_VERSION, F_ALERTS, F_TRUNCATED, F_STATUS, F_LABELS, F_ANNOTATIONS, F_STARTS, F_ENDS, F_LINK };
struct known { /* a key that is looked at */
    const char *name;
    enum place in;
    enum field field;
    enum type type;
    const char *annotation; /* F_LINK: Grafana's, as an annotation of that name */
};
#define BIT(field) (1u << (field))

struct alertmanager_decoder {
    char source[SOURCE_NAME_SIZE];
    const struct limits *limits;
    alertmanager_each *each;
    void *ctx;
    bool grafana; /* its own alerts, payload version "1" */

    yajl_handle yajl; /* NULL after it ran out of memory */
    struct escapes escapes;
    int64_t before; /* bytes given to yajl before the present piece */
    int64_t event;  /* where the last callback was: what follows is one unfinished value */
    bool finishing; /* yajl has all bytes */
    uint8_t stack[DECODER_DEPTH_MAX];
    uint32_t depth;
    const struct known *field; /* of the value that comes next; NULL: to be ignored */
    struct buf key;            /* of the label that comes next */

    unsigned body_seen, alert_seen; /* BIT(field) */
    int64_t truncated;
    int64_t alerts;      /* so far */
    int64_t alert_began; /* position */
    struct alert alert;  /* the one being read */
    bool empty_values;   /* it has labels to be dropped */

    enum err_code code; /* sticky */
    struct err e;
    const char *limit;

    struct yajl_memory memory; /* last: what stands before begins anew with each body */
};

/* Record the first error, at the present position. Returns 0, which makes yajl stop. */
int decoder_refuse(struct alertmanager_decoder *d, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int decoder_too_much(struct alertmanager_decoder *d, const char *limit, const char *what, int64_t most);
int64_t decoder_position(const struct alertmanager_decoder *d);
const char *decoder_wanted(const struct alertmanager_decoder *d); /* what would be right, for messages */
int decoder_shown(size_t len);                                    /* for %.*s of text from outside */

/* One alert; each returns 0 after decoder_refuse(). */
int decoder_begin_alert(struct alertmanager_decoder *d);
int decoder_end_alert(struct alertmanager_decoder *d);
int decoder_add_label(struct alertmanager_decoder *d, struct map *map, const char *value, size_t len);
int decoder_take_time(struct alertmanager_decoder *d, const char *name, int64_t *ret, const char *text,
                      size_t len);
int decoder_take_link(struct alertmanager_decoder *d, const char *text, size_t len);
int decoder_take_status(struct alertmanager_decoder *d, const char *text, size_t len);

#endif

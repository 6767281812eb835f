/* receiver/decode/decoder.h - the body of any source into alerts, as a stream: which decoder that is, the
 * source's type says. What one took is kept for the next body of the same listener thread. */
#ifndef RECEIVER_DECODE_DECODER_H
#define RECEIVER_DECODE_DECODER_H

#include "receiver/decode/alertmanager.h"
#include "receiver/decode/event.h"
#include "receiver/decode/form.h"

struct decoder {                         /* starts zeroed; one thread owns it */
    struct alertmanager_decoder *alerts; /* kept */
    struct event_reader *event;          /* of this body; NULL: alerts reads it */
    alertmanager_each *each;
    void *ctx;
    struct headers headers;
    bool is_form;
    struct form form;
    struct buf unpacked; /* of the form */
};

/* How the source's type is called in heald.cfg and in the path: "github". */
const char *source_kind_name(enum source_kind kind);
/* Does this source send such a body? NULL: it does; else what it sends. */
const char *decoder_wants_type(enum source_kind kind, const char *content_type);

/* Begin a body. All is borrowed until decoder_clear(); see alertmanager_new() for `each`. */
enum err_code decoder_begin(struct decoder *d, const struct source_settings *source,
                            const struct headers *headers, const struct limits *limits,
                            alertmanager_each *each, void *ctx, struct err *e);
enum err_code decoder_feed(struct decoder *d, const char *bytes, size_t len, struct err *e);
/* The body has ended; a source of events hands out its alert now. now_ms: wall time. */
enum err_code decoder_end(struct decoder *d, int64_t now_ms, struct err *e);
const char *decoder_id(const struct decoder *d);    /* of the delivery, after its end; "" when it has none */
const char *decoder_limit(const struct decoder *d); /* as alertmanager_limit() */
void decoder_clear(struct decoder *d);              /* the body is done with */
void decoder_release(struct decoder *d);

#endif

/* receiver/http/http_internal.h - internal to receiver/http: the server, its connections and its requests.
 *
 * server.c life and callbacks of libmicrohttpd | sweep.c time limits | routes.c paths | auth.c who asks |
 * intake.c deliveries | operators.c words of operators | answer.c answers */
#ifndef RECEIVER_HTTP_HTTP_INTERNAL_H
#define RECEIVER_HTTP_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "receiver/decode/alertmanager.h"
#include "receiver/http/address.h"
#include "receiver/http/secret.h"
#include "receiver/http/server.h"
#include "receiver/http/tls.h"

#define OPERATOR_BODY_MAX 16384u /* bytes of an operator's request */
#define IDLE_MS                                                                                              \
    310000 /* a kept-alive connection without a request; Alertmanager drops its own after 5 minutes */
#define IDLE_STRANGER_MS 20000 /* the same without a credential so far */
#define SWEEP_MS 500
#define SPARE_REQUESTS_MAX 64 /* about 8 KiB each, once that many were under way at one time */
#define FAREWELL_MS 1000      /* at the end, for answers under way */
#define RETRY_AFTER_SECONDS "5"

enum connection_phase { PHASE_IDLE, PHASE_HEADERS, PHASE_BODY, PHASE_BUSY };

struct server;
struct connection { /* one socket; in the server's list while libmicrohttpd has it */
    struct server *server;
    int fd;
    enum connection_phase phase;
    int64_t since_ms; /* the phase began */
    int64_t spent_ms; /* on the body so far, without the time that heald itself took */
    bool known;       /* a credential was accepted on it */
    struct connection *prev, *next;
};

enum scope { SCOPE_OPEN, SCOPE_INTAKE, SCOPE_OPERATOR };
struct request;
struct route {
    const char *method, *path; /* a "*" in it stands for an incident's id */
    enum scope scope;
    unsigned role;                                /* SCOPE_OPERATOR */
    enum MHD_Result (*answer)(struct request *r); /* the request is complete: answer, or suspend */
};

struct refusal_answer { /* what a request will be answered once it has been read to its end */
    unsigned status;    /* 0: none */
    char detail[400];
};

struct request {
    struct server *server;
    struct MHD_Connection *mhd;
    struct connection *connection;
    const struct route *route;
    const char *who;                          /* operator's name */
    const struct operator_settings *operator; /* NULL: anybody on this machine */
    char incident[INCIDENT_ID_SIZE];          /* in the path */
    struct source_settings *source;
    struct refusal_answer refusal;
    int64_t body_bytes;
    int64_t held_bytes; /* counted in the server's in_flight */
    /* intake */
    bool decoding, waiting, committed, ended;
    size_t alerts_len;
    /* operators */
    struct buf body;
    bool done;
    struct buf result; /* JSON text of the answer */
    struct request *next;
    /* what a spare request keeps */
    struct alertmanager_decoder *decoder;
    struct alert *alerts;
    size_t alerts_cap;
};

struct server {
    const struct settings *settings;
    struct loop *loop;
    struct metrics *metrics;
    struct MHD_Daemon *daemon;
    struct tls *tls;
    struct secret *source_secrets, *operator_secrets; /* in the settings' order; file NULL: none */
    struct address_range *proxies;
    size_t proxies_len;
    bool loopback;
    int port;
    MHD_socket listener; /* after quiescing: ours to close */
    atomic_llong in_flight;
    atomic_bool quiesced;

    pthread_mutex_t lock; /* connections, and the operators' queue */
    pthread_cond_t wake;  /* the operators' thread, and the sweeper at the end */
    struct connection *connections;
    size_t connections_len;
    struct request *head, *tail; /* requests that block on the loop */
    bool stop;
    pthread_t sweeper, operators;
    bool sweeper_started, operators_started;
    atomic_llong complained_ms; /* refusals are logged at most once a second */

    /* libmicrohttpd's thread's own */
    struct request *spare; /* list */
    size_t spare_len;
    struct MHD_Response *accepted; /* the same for every delivery */
};

/* answer.c */
enum MHD_Result answer_text(struct request *r, unsigned status, const char *content_type, const char *text,
                            size_t len);
enum MHD_Result answer_accepted(struct request *r);
enum MHD_Result answer_problem(struct request *r, unsigned status, const char *detail);
void refuse(struct request *r, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* auth.c */
enum err_code auth_new(struct server *s, struct err *e);
void auth_free(struct server *s);
void auth_intake(struct request *r);   /* sets r->source, or refuses */
void auth_operator(struct request *r); /* sets r->who, or refuses */

/* routes.c */
/* Find the route; refuses with 404 or 405. */
void route_find(struct request *r, const char *method, const char *path);

/* intake.c */
void intake_begin(struct request *r);
void intake_bytes(struct request *r, const char *bytes, size_t len); /* may suspend the connection */
enum MHD_Result intake_answer(struct request *r);
void intake_clear(struct request *r);   /* the request has ended; memory is kept for another one */
void intake_release(struct request *r); /* and that is given back too */

/* operators.c */
enum MHD_Result operator_answer(struct request *r); /* hands over to the operators' thread, suspended */
void *operators_main(void *arg);

/* words.c */
/* The word that the request says: path and body. for_ms: how long to pause. Refuses what is no such word. */
void word_of(struct request *r, struct input *ret, int64_t *ret_for_ms);

/* sweep.c */
void connection_phase(struct server *s, struct connection *c, enum connection_phase phase);
void connection_headers(struct server *s,
                        struct connection *c); /* the request line is there: idle time has ended */
void connection_known(struct server *s, struct connection *c, bool known);
void connection_notify(void *ctx, struct MHD_Connection *mhd, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);
void *sweeper_main(void *arg);
int64_t monotonic_ms(void);

#endif

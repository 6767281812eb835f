/* receiver/http/http_internal.h - internal to receiver/http: the server, its connections and its requests.
 *
 * server.c life and callbacks of libmicrohttpd | sweep.c time limits | routes.c paths | auth.c who asks |
 * intake.c deliveries | lanes.c threads for what blocks | operators.c words of operators | answer.c answers |
 * docs.c what each route takes and gives | query.c a request's query | api.c, api_policy.c, openapi.c what
 * can be read | stream.c events as they happen | session.c logged in by a browser | page/ the page */
#ifndef RECEIVER_HTTP_HTTP_INTERNAL_H
#define RECEIVER_HTTP_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "receiver/decode/decoder.h"
#include "receiver/http/address.h"
#include "receiver/http/secret.h"
#include "receiver/http/server.h"
#include "receiver/http/sources.h"
#include "receiver/http/tls.h"
#include "receiver/journal/view.h"

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

/* PAGE: an operator, by a session; what is refused is told as a page. */
enum scope { SCOPE_OPEN, SCOPE_INTAKE, SCOPE_OPERATOR, SCOPE_PAGE };
struct request;
struct http_lane;
struct route {
    const char *method, *path; /* a "*" in it stands for an incident's id */
    enum scope scope;
    unsigned role;                                /* SCOPE_OPERATOR */
    enum MHD_Result (*answer)(struct request *r); /* the request is complete: answer, or suspend */
};

/* What a request may ask for by its query, and a word's body may say: see docs.c. */
enum doc_type { DOC_WORD, DOC_NUMBER, DOC_MOMENT, DOC_LABELS };
struct doc_param {
    const char *name; /* NULL: the end */
    enum doc_type type;
    bool required;
    const char *help;
    const char *choices; /* WORD: "healed|cleared"; NULL: any text */
    int64_t least, most; /* NUMBER */
};
struct route_doc {
    const char *method, *path;
    const char *summary;
    const struct doc_param *query, *body; /* NULL: none */
    const char *answer;                   /* the schema's name; NULL: no JSON */
    const char *also;                     /* further statuses: "404 409" */
};
#define SESSION_COOKIE "heald_session"
#define SESSION_CSRF_SIZE 49
#define QUERY_ARGS_MAX 32    /* of one request */
#define QUERY_VALUE_MAX 4096 /* bytes of one value */
struct query_arg {
    const struct doc_param *param;
    const char *value; /* libmicrohttpd's, for as long as the request */
    int64_t number;    /* NUMBER; MOMENT: ms */
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
    enum source_kind kind;                    /* what is sent, as the path says */
    char source_name[SOURCE_NAME_SIZE];       /* in the path; "" none */
    struct source_state *source;              /* NULL: not known, or not yet */
    struct refusal_answer refusal;
    int64_t body_bytes;
    int64_t held_bytes; /* counted in the server's in_flight */
    /* intake */
    bool decoding, waiting, committed, ended;
    bool is_signed;   /* who speaks shows when the body is whole */
    struct buf raw;   /* that body */
    size_t raw_fed;   /* bytes of it that were decoded */
    int64_t retry_ms; /* with 503: when there will be room; 0: not known */
    char id[EVENT_ID_SIZE];
    bool is_repeat; /* of a delivery that was accepted */
    size_t alerts_len;
    /* operators */
    struct buf body;
    bool done;
    struct buf result;            /* the answer's text */
    const char *type;             /* its content type; NULL: JSON */
    char etag[40];                /* "": none */
    char location[160];           /* not "": 303 to there */
    char cookie[160];             /* to be set; "": none */
    char csrf[SESSION_CSRF_SIZE]; /* of the session by which a browser asks; "": none */
    const struct route_doc *doc;
    struct query_arg args[QUERY_ARGS_MAX];
    size_t args_len;
    void (*carry)(struct http_lane *lane, struct request *r);
    struct request *next;
    /* what a spare request keeps */
    struct decoder decoder;
    struct alert *alerts;
    size_t alerts_cap;
};

/* A thread for requests that block, one after the other; their connections are suspended meanwhile. */
enum lane_name { LANE_WORDS, LANE_READS, LANES };
struct http_lane {
    struct server *server;
    struct request *head, *tail; /* under the server's lock */
    pthread_t thread;
    bool started;
    struct view *view;          /* READS: the journal */
    struct buf brief;           /* READS: the page's statistics, for operators who see all */
    int64_t brief_ms;           /* when they were counted */
    struct json_writer *writer; /* READS */
};
struct streams;
struct sessions;

struct server {
    const struct settings *settings;
    struct loop *loop;
    struct metrics *metrics;
    struct MHD_Daemon *daemon;
    struct tls *tls;
    struct secret *operator_secrets; /* in the settings' order */
    struct address_range *proxies;
    size_t proxies_len;
    bool loopback;
    int port;
    MHD_socket listener; /* after quiescing: ours to close */
    atomic_llong in_flight;
    atomic_bool quiesced;

    pthread_mutex_t lock; /* connections, and the operators' queue */
    pthread_cond_t wake;  /* the lanes' threads, and the sweeper at the end */
    struct connection *connections;
    size_t connections_len;
    struct http_lane lanes[LANES];
    bool stop;
    pthread_t sweeper;
    bool sweeper_started;
    struct streams *streams;
    struct idempotency *idempotency; /* the words' lane's own */
    struct sessions *sessions;
    atomic_llong complained_ms; /* refusals are logged at most once a second */

    /* libmicrohttpd's thread's own */
    struct source_state *sources; /* in the settings' order */
    struct seen seen;
    struct request *spare; /* list */
    size_t spare_len;
    struct MHD_Response *accepted; /* the same for every delivery */
};

/* answer.c */
enum MHD_Result answer_text(struct request *r, unsigned status, const char *content_type, const char *text,
                            size_t len);
enum MHD_Result answer_accepted(struct request *r);
enum MHD_Result answer_problem(struct request *r, unsigned status, const char *detail);
/* What a lane has made, with its ETag: 304 when the client has that. */
enum MHD_Result answer_result(struct request *r);
void refuse(struct request *r, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* auth.c */
enum err_code auth_new(struct server *s, struct err *e);
void auth_free(struct server *s);
/* Sets r->source, or r->is_signed, or refuses. */
void auth_intake(struct request *r);
/* The body of r->is_signed is whole: sets r->source, or refuses. */
void auth_signed(struct request *r);
/* Values of the request's headers. */
struct headers request_headers(struct request *r);
/* May this source send that now? Refuses. */
void auth_limits(struct request *r);
int64_t wall_ms(void);
void auth_operator(struct request *r); /* sets r->who, or refuses */

/* The index of the operator whose token this is, or -1. */
int auth_token(struct request *r, const char *token);
void secret_look(struct secret *s); /* read it again when its file is another one */

/* session.c */
struct sessions *sessions_new(void); /* NULL: no memory; ended by free() */
/* Who the session is of that the request's cookie names; NULL: it has none. Sets r->csrf. */
const struct operator_settings *session_operator(struct request *r);
bool session_begin(struct request *r, size_t operator_index); /* sets r->cookie; false: no randomness */
void session_end(struct request *r);

/* form.c */
/* r->body of a form as JSON without its token; refuses what the page did not send. */
void form_take(struct request *r);
/* One field, before there is a session; refuses what the page did not send. False: it is not there. */
bool form_field(struct request *r, const char *name, char *ret, size_t size);

/* page/ */
enum MHD_Result page_home(struct request *r);
enum MHD_Result page_incidents(struct request *r);
enum MHD_Result page_incident(struct request *r);
enum MHD_Result page_policy(struct request *r);
enum MHD_Result page_explain(struct request *r);
enum MHD_Result page_login(struct request *r);
enum MHD_Result page_log_in(struct request *r);
enum MHD_Result page_log_out(struct request *r);
enum MHD_Result page_word(struct request *r);
enum MHD_Result page_css(struct request *r);
enum MHD_Result page_js(struct request *r);
enum MHD_Result page_icon(struct request *r);
void page_problem(struct request *r, unsigned status, const char *detail); /* into r->result */

/* routes.c */
/* Find the route; refuses with 404 or 405. */
void route_find(struct request *r, const char *method, const char *path);
extern const struct route routes[]; /* ended by a NULL path */

/* intake.c */
void intake_begin(struct request *r);
/* As refuse(), and counts the delivery as refused for that reason, by its source. */
void intake_refuse(struct request *r, const char *reason, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void intake_bytes(struct request *r, const char *bytes, size_t len); /* may suspend the connection */
enum MHD_Result intake_answer(struct request *r);
void intake_clear(struct request *r);   /* the request has ended; memory is kept for another one */
void intake_release(struct request *r); /* and that is given back too */

/* operators.c */
enum MHD_Result operator_answer(struct request *r); /* hands over to the words' lane, suspended */
/* The word that path and body say, to the core: r->result, or refuse(). */
void say_word(struct http_lane *lane, struct request *r);

/* lanes.c */
enum err_code lanes_start(struct server *s, struct err *e);
void lanes_stop(struct server *s); /* what is queued is answered first: nothing stays suspended */
/* Suspend it and let the lane carry it out: r->result and what stands beside it, or refuse(); then it is
 * answered. */
enum MHD_Result lane_answer(struct request *r, enum lane_name lane,
                            void (*carry)(struct http_lane *lane, struct request *r));

/* docs.c */
const struct route_doc *route_doc(const struct route *route); /* NULL: nothing is said of it */

/* query.c */
/* What the request asks for, checked against its route's doc; refuses what does not fit. */
void query_take(struct request *r);
const struct query_arg *query_arg(const struct request *r, const char *name); /* NULL: not given */
int64_t query_number(const struct request *r, const char *name, int64_t fallback);
const char *query_text(const struct request *r, const char *name); /* NULL: not given */

/* api.c: each carried out by the lane of reads */
enum MHD_Result api_incidents(struct request *r);
enum MHD_Result api_incident(struct request *r);
enum MHD_Result api_events(struct request *r);
enum MHD_Result api_stats(struct request *r);
/* The objects themselves, into the lane's writer; also for the page. */
enum err_code api_write_incidents(struct http_lane *lane, const struct request *r, struct err *e);
enum err_code api_write_incident(struct http_lane *lane, const struct request *r, const char *id,
                                 struct err *e);
enum err_code api_write_events(struct http_lane *lane, const struct request *r, struct err *e);
enum err_code api_write_stats(struct http_lane *lane, const struct request *r, struct err *e);
/* Rules and weeks alone. */
enum err_code api_write_brief_stats(struct http_lane *lane, const struct request *r, struct err *e);
/* The namespaces that the operator is kept to, as a JSON array; NULL: he may see all. Into `ret`. */
const char *api_namespaces(const struct request *r, struct buf *ret);
/* May the operator see this incident? ERR_NOT_FOUND. */
enum err_code api_may_see(struct http_lane *lane, const struct request *r, const char *id, struct err *e);

/* api_policy.c */
enum MHD_Result api_rules(struct request *r);
enum MHD_Result api_explain(struct request *r);
void api_write_rules(struct http_lane *lane, struct request *r);
enum err_code api_write_explain(struct http_lane *lane, struct request *r, const char *source,
                                const char *const *labels, size_t len, struct err *e);

/* idempotency.c: for the words' lane */
struct idempotency *idempotency_new(void); /* NULL: no memory; ended by free() */
/* The request has an Idempotency-Key that is known: it has been answered, or refused. */
bool idempotency_answered(struct request *r);
void idempotency_keep(struct request *r); /* its answer, for the next time */

/* openapi.c */
enum MHD_Result api_openapi(struct request *r);
void openapi_write(struct json_writer *w);

/* stream.c */
enum err_code streams_start(struct server *s, struct err *e);
void streams_stop(struct server *s); /* all of them end */
void streams_free(struct server *s); /* behind the daemon's end */
bool stream_wanted(const struct request *r);
enum MHD_Result stream_begin(struct request *r);

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

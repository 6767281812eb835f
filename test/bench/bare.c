/* bare - what intake is compared with: a libmicrohttpd server that answers 200 and does nothing else, or
 * parses the body by yajl first. bare empty|parse Prints its port, and serves until standard input ends. */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

static int on_any(void *ctx)
{
    (void)ctx;
    return 1;
}
static int on_text(void *ctx, const unsigned char *s, size_t n)
{
    (void)ctx, (void)s, (void)n;
    return 1;
}
static int on_number(void *ctx, const char *s, size_t n)
{
    (void)ctx, (void)s, (void)n;
    return 1;
}
static int on_bool(void *ctx, int b)
{
    (void)ctx, (void)b;
    return 1;
}
static const yajl_callbacks callbacks = { on_any, on_bool, NULL,   NULL,   on_number, on_text,
                                          on_any, on_text, on_any, on_any, on_any };

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *len, void **state)
{
    (void)url, (void)method, (void)version;
    const int *parse = ctx;
    if (!*state) {
        *state = *parse ? (void *)yajl_alloc(&callbacks, NULL, NULL) : (void *)ctx;
        return MHD_YES;
    }
    if (*len) {
        if (*parse)
            yajl_parse(*state, (const unsigned char *)bytes, *len);
        *len = 0;
        return MHD_YES;
    }
    if (*parse) {
        yajl_complete_parse(*state);
        yajl_free(*state);
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result ret = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return ret;
}

int main(int argc, char **argv)
{
    int parse = argc > 1 && strcmp(argv[1], "parse") == 0;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, &parse,
                                            MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_END);
    if (!d)
        return 1;
    printf("%d\n", MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    char c;
    while (read(0, &c, 1) > 0)
        ;
    MHD_stop_daemon(d);
    return 0;
}

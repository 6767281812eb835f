/* test/kit/api_fixture.h - a stub of an API server with a cluster and a handle that talk to it. */
#ifndef TEST_KIT_API_FIXTURE_H
#define TEST_KIT_API_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "actions/kube/kube.h"
#include "test/kit/api_stub.h"
#include "test/kit/tempdir.h"

struct api_fixture {
    struct tempdir dir;
    struct api_stub *stub;
    struct cluster *cluster;
    struct http *http;
};

/* The cluster is called "prod-1", its token "s3cret". */
static inline struct api_fixture api_open(void)
{
    struct api_fixture f = { .dir = tempdir_make(), .stub = api_stub_new() };
    struct err e = ERR_INIT;
    const char *file = tempdir_file(&f.dir, "kubeconfig");
    FILE *out = fopen(file, "w");
    cr_assert_not_null(out);
    fprintf(
        out,
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: k, cluster: {server: \"%s\"}}]\n"
        "users: [{name: u, user: {token: s3cret}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n",
        api_stub_url(f.stub));
    fclose(out);
    struct cluster_options options = { .name = "prod-1", .kubeconfig = file };
    cr_assert_eq(cluster_new(&f.cluster, &options, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(http_new(&f.http, &e), ERR_OK, "%s", e.msg);
    return f;
}

static inline void api_close(struct api_fixture *f)
{
    http_free(f->http);
    cluster_free(f->cluster);
    api_stub_free(f->stub);
    tempdir_end(&f->dir);
}

#endif

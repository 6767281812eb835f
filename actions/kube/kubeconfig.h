/* actions/kube/kubeconfig.h - internal to actions/kube: credentials out of a kubeconfig file (YAML or JSON),
 * or of the pod heald runs in. Source: kubernetes/client-go tools/clientcmd/api/v1, rest/config.go. */
#ifndef ACTIONS_KUBE_KUBECONFIG_H
#define ACTIONS_KUBE_KUBECONFIG_H

#include <stdbool.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"

/* Strings are owned, NULL where absent. Certificates and keys that stand inside the file as base64 are held
 * in memory files, whose names are /proc/self/fd/N: never on a disk. */
struct kubeconfig {
    char *server, *server_name;
    char *ca_file, *cert_file, *key_file;
    int fds[3]; /* of ca, cert, key; -1: none */
    char *token, *token_file;
    char *user_password;
    bool insecure;
};

/* `context` NULL: current-context. exec and auth-provider are refused: heald starts no programs. */
enum err_code kubeconfig_read(struct kubeconfig *ret, const char *file, const char *context, struct err *e);
/* KUBERNETES_SERVICE_HOST, ..._PORT and /var/run/secrets/kubernetes.io/serviceaccount. */
enum err_code kubeconfig_in_cluster(struct kubeconfig *ret, struct err *e);
void kubeconfig_release(struct kubeconfig *k);

/* A small file whole, surrounding white space cut; ERR_INVALID when it is empty. */
enum err_code kube_read_file(struct buf *ret, const char *file, struct err *e);

#endif

#include "core.h"

#include "base/mem.h"

#include <errno.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bundle of all public roots has about 220 KB. */
#define PEM_LIMIT_BYTES ((size_t)4 << 20)

static bool given(const char *path)
{
    return path && path[0];
}

bool rpc_tls_enabled(const struct rpc_tls *t)
{
    return given(t->cert_file) || given(t->key_file) || given(t->ca_file) || given(t->server_name);
}

static void close_file_p(FILE **f)
{
    if (*f)
        fclose(*f);
}

/* '*out' stays NULL when 'path' is not given. */
static enum pl_code pem_read(const char *field, const char *path, char **out, struct pl_err *err)
{
    if (!given(path))
        return PL_OK;
    pl_cleanup(close_file_p) FILE *f = fopen(path, "rbe");
    if (!f)
        return pl_fail(err, PL_INVALID, field, "%s: cannot open '%s': %s", field, path, strerror(errno));
    pl_cleanup(pl_free_p) char *text = pl_new0(1, PEM_LIMIT_BYTES + 1);
    size_t n = fread(text, 1, PEM_LIMIT_BYTES + 1, f);
    if (ferror(f))
        return pl_fail(err, PL_INVALID, field, "%s: cannot read '%s': %s", field, path, strerror(errno));
    if (n > PEM_LIMIT_BYTES)
        return pl_fail(err, PL_INVALID, field, "%s: '%s' is larger than %zu bytes", field, path, PEM_LIMIT_BYTES);
    text[n] = '\0';
    if (!strstr(text, "-----BEGIN "))
        return pl_fail(err, PL_INVALID, field, "%s: '%s' holds no PEM block", field, path);
    *out = pl_strdup(text);
    explicit_bzero(text, n);
    return PL_OK;
}

struct pems {
    char *cert, *key, *ca;
};

static void pems_done(struct pems *p)
{
    if (p->key)
        explicit_bzero(p->key, strlen(p->key));
    free(p->cert);
    free(p->key);
    free(p->ca);
}

static enum pl_code pems_read(struct pems *p, const struct rpc_tls *t, struct pl_err *err)
{
    if (given(t->cert_file) != given(t->key_file))
        return pl_fail(err, PL_INVALID, given(t->cert_file) ? "tls.key_file" : "tls.cert_file",
                       "tls.cert_file and tls.key_file belong together: only one of them is set");
    if (pem_read("tls.cert_file", t->cert_file, &p->cert, err) != PL_OK ||
        pem_read("tls.key_file", t->key_file, &p->key, err) != PL_OK ||
        pem_read("tls.ca_file", t->ca_file, &p->ca, err) != PL_OK)
        return err->code;
    return PL_OK;
}

grpc_server_credentials *rpc_tls_server(const struct rpc_tls *t, struct pl_err *err)
{
    pl_cleanup(pems_done) struct pems p = { 0 };
    if (pems_read(&p, t, err) != PL_OK)
        return NULL;
    if (!p.cert) {
        pl_fail(err, PL_INVALID, "tls.cert_file", "tls.cert_file is needed to serve TLS");
        return NULL;
    }
    grpc_ssl_pem_key_cert_pair pair = { .private_key = p.key, .cert_chain = p.cert };
    return grpc_ssl_server_credentials_create_ex(p.ca, &pair, 1,
                                                 p.ca ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                      : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                                                 NULL);
}

grpc_channel_credentials *rpc_tls_client(const struct rpc_tls *t, struct pl_err *err)
{
    pl_cleanup(pems_done) struct pems p = { 0 };
    if (pems_read(&p, t, err) != PL_OK)
        return NULL;
    grpc_ssl_pem_key_cert_pair pair = { .private_key = p.key, .cert_chain = p.cert };
    return grpc_ssl_credentials_create(p.ca, p.cert ? &pair : NULL, NULL, NULL);
}

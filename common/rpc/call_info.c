/* What a handler may ask a call about, and the headers it may set. */
#include "server_private.h"

#include "base/mem.h"

#include <assert.h>
#include <grpc/support/alloc.h>
#include <string.h>

struct rpc_bytes *rpc_call_bytes(const struct rpc_call *c)
{
    return c->request;
}

int64_t rpc_call_time_left_ms(const struct rpc_call *c)
{
    gpr_timespec d = c->details ? c->details->deadline : c->deadline;
    if (gpr_time_cmp(d, gpr_inf_future(d.clock_type)) == 0)
        return INT64_MAX;
    gpr_timespec left = gpr_time_sub(d, gpr_now(d.clock_type));
    int64_t ms = left.tv_sec * 1000 + left.tv_nsec / 1000000;
    return ms > 0 ? ms : 0;
}

static bool local_header(const struct rpc_call *c, const char *key, char *out, size_t size)
{
    const char *value = local_call_header(c, key);
    if (!value || strlen(value) >= size)
        return false;
    memcpy(out, value, strlen(value) + 1);
    return true;
}

bool rpc_call_header(const struct rpc_call *c, const char *key, char *out, size_t size)
{
    if (c->local)
        return local_header(c, key, out, size);
    for (size_t i = 0; i < c->headers.count; i++) {
        const grpc_metadata *m = &c->headers.metadata[i];
        if (grpc_slice_str_cmp(m->key, key) != 0)
            continue;
        size_t n = GRPC_SLICE_LENGTH(m->value);
        if (n >= size)
            return false;
        memcpy(out, GRPC_SLICE_START_PTR(m->value), n);
        out[n] = '\0';
        return true;
    }
    return false;
}

const char *rpc_call_peer(struct rpc_call *c)
{
    if (!c->peer && c->core) {
        char *peer = grpc_call_get_peer(c->core);
        c->peer = pl_strdup(peer);
        gpr_free(peer);
    }
    return c->peer ? c->peer : c->local ? "unix-frames:" : "";
}

const char *rpc_call_method(const struct rpc_call *c)
{
    return c->path;
}

void rpc_call_set_header(struct rpc_call *c, const char *key, const char *value)
{
    if (c->local) /* no client of ours reads them */
        return;
    if (!c->out)
        c->out = PL_NEW(struct call_out);
    assert(c->out->header_count < RPC_HEADERS_MAX);
    grpc_metadata *m = &c->out->headers[c->out->header_count];
    m->key = grpc_slice_from_copied_string(key);
    m->value = grpc_slice_from_copied_string(value);
    /* A value from outside may hold what HTTP/2 cannot carry; leaving it out is better than losing the answer. */
    if (grpc_header_key_is_legal(m->key) && grpc_header_nonbin_value_is_legal(m->value)) {
        c->out->header_count++;
        return;
    }
    grpc_slice_unref(m->key);
    grpc_slice_unref(m->value);
}

/* What the router reads of requests: the first byte says how they are cut into pieces. However they are cut, the same
 * is read; and what protobuf's own reader makes of them is the same too, where both accept them. */
#include "invoke_request.h"
#include "pieces.h"

#include "inference/open_inference.pb-c.h"
#include "pilotlight/v1/inference.pb-c.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum pl_code read_fn(struct invoke_request *out, const struct rpc_bytes *bytes, struct pl_err *err);

static bool look(read_fn *read, const uint8_t *data, size_t size, size_t piece, struct invoke_request *out)
{
    struct rpc_bytes *bytes = pieces_of(data, size, piece);
    struct pl_err err = { 0 };
    enum pl_code code = read(out, bytes, &err);

    rpc_bytes_unref(bytes);
    assert(code == PL_OK || code == PL_INVALID || code == PL_EXHAUSTED);
    if (code == PL_OK) {
        assert(name_valid(out->endpoint, strlen(out->endpoint)));
        assert(!out->variant[0] || name_valid(out->variant, strlen(out->variant)));
    } else {
        assert(err.code == code && err.message[0]);
    }
    return code == PL_OK;
}

/* True: it is accepted, and 'out' is what was read. */
static bool same(read_fn *read, const uint8_t *data, size_t size, size_t piece, struct invoke_request *out)
{
    struct invoke_request cut;
    bool good = look(read, data, size, 0, out);

    assert(look(read, data, size, piece, &cut) == good);
    assert(!good || (strcmp(cut.endpoint, out->endpoint) == 0 && strcmp(cut.variant, out->variant) == 0));
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = size ? 1 + data[0] : 1;
    struct invoke_request r;

    if (size == 0)
        return 0;
    data++;
    size--;
    if (same(invoke_request_read, data, size, piece, &r)) {
        Pilotlight__V1__InvokeRequest *m = pilotlight__v1__invoke_request__unpack(NULL, size, data);

        assert(!m || (strcmp(m->endpoint_name, r.endpoint) == 0 && strcmp(m->target_variant, r.variant) == 0));
        if (m)
            pilotlight__v1__invoke_request__free_unpacked(m, NULL);
    }
    if (same(tensor_request_read, data, size, piece, &r)) {
        Inference__ModelInferRequest *m = inference__model_infer_request__unpack(NULL, size, data);

        assert(!m || (strcmp(m->model_name, r.endpoint) == 0 && strcmp(m->model_version, r.variant) == 0));
        if (m)
            inference__model_infer_request__free_unpacked(m, NULL);
    }
    return 0;
}

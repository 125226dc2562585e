/* ModelInferRequest bodies. What is accepted must be a whole matrix, and its answer must be writable. */
#include "base/buf.h"
#include "matrix.h"
#include "model.h"
#include "tensor.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct matrix m;
    static struct pl_buf out = PL_BUF_INIT(1 << 20);
    static const float values[2] = { 1, 2 };
    struct prediction p = { .values = values, .rows = 2, .outputs = 1 };
    struct tensor_request request;
    struct pl_err err = { 0 };

    matrix_clear(&m, false);
    if (decode_tensor(&m, &request, (const char *)data, size, &err) != PL_OK) {
        assert(err.code == PL_MODEL && err.model_status >= 400 && err.message[0]);
        return 0;
    }
    assert(m.rows > 0 && m.cols > 0 && m.count == m.rows * m.cols);
    pl_buf_clear(&out);
    encode_tensor(&out, &request, &p);
    assert(!out.failed && out.len > sizeof(values));
    return 0;
}

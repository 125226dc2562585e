/* application/x-recordio-protobuf bodies, as anybody may send them. What is accepted must be a whole matrix. */
#include "decode.h"
#include "matrix.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct matrix m;
    struct pl_err err = { 0 };

    matrix_clear(&m, false);
    if (decode_recordio(&m, (const char *)data, size, &err) != PL_OK) {
        assert(err.code == PL_MODEL && err.model_status >= 400 && err.message[0]);
        return 0;
    }
    assert(m.rows > 0);
    if (!m.sparse) {
        assert(m.cols > 0 && m.count == m.rows * m.cols);
        return 0;
    }
    assert(m.starts[0] == 0 && m.starts[m.rows] == m.count);
    for (size_t i = 0; i < m.count; i++)
        assert(m.columns[i] < m.cols);
    return 0;
}

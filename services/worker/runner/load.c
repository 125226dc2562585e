#include "load.h"

#include "base/buf.h"
#include "model.h"
#include "refuse.h"
#include "wire/wire.h"

#include <string.h>

/* pilotlight.internal.v1.LoadRequest, its map entries, LoadResponse, pilotlight.v1.ModelFacts, RunnerError */
enum { REQUEST_MODEL_DIR = 1, REQUEST_RUNTIME = 2, REQUEST_ENVIRONMENT = 3 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { RESPONSE_FACTS = 1, RESPONSE_LOAD_US = 2, RESPONSE_WARM_US = 3, RESPONSE_DAMAGED = 4 };
enum {
    FACTS_VERSION = 1,
    FACTS_OBJECTIVE = 2,
    FACTS_FEATURES = 3,
    FACTS_OUTPUTS = 4,
    FACTS_FILES = 5,
    FACTS_FORESTS = 11,
    FACTS_NOTE = 12
};
enum { ERROR_STATUS = 1, ERROR_MESSAGE = 2, ERROR_DAMAGED = 3 };

#define MAX_NAME  256
#define MAX_VALUE 4096

/* A string field into 'size' bytes with its terminator; false: another type, too long, or with a NUL inside. */
static bool take_string(const struct wire_field *f, char *out, size_t size)
{
    if (f->type != WIRE_BYTES || f->len >= size || (f->len > 0 && memchr(f->bytes, '\0', f->len)))
        return false;
    if (f->len > 0)
        memcpy(out, f->bytes, f->len);
    out[f->len] = '\0';
    return true;
}

static enum pl_code malformed(struct pl_err *err)
{
    return refuse(err, STATUS_FAILED, "the load request is malformed, or one of its strings is too long");
}

/* One entry of the environment. Values of other people's variables may be longer than ours ever are: those are passed
 * over. */
static enum pl_code take_variable(struct settings *settings, const struct wire_field *entry, struct pl_err *err)
{
    char name[MAX_NAME] = "", value[MAX_VALUE] = "";
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;
    bool ours = true;

    if (entry->type != WIRE_BYTES)
        return malformed(err);
    wire_read_flat(&reader, &span, entry->bytes, entry->len);
    while (wire_next(&reader, &f)) {
        if (f.number == ENTRY_KEY)
            ours = take_string(&f, name, sizeof(name)) && ours;
        else if (f.number == ENTRY_VALUE)
            ours = take_string(&f, value, sizeof(value)) && ours;
    }
    if (reader.malformed)
        return malformed(err);
    return ours ? settings_set(settings, name, value, err) : PL_OK;
}

enum pl_code load_request_read(struct load_request *out, const uint8_t *payload, size_t n, struct pl_err *err)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;
    bool good = true;

    out->model_dir[0] = out->runtime[0] = '\0';
    settings_init(&out->settings);
    wire_read_flat(&reader, &span, payload, n);
    while (good && wire_next(&reader, &f)) {
        if (f.number == REQUEST_MODEL_DIR)
            good = take_string(&f, out->model_dir, sizeof(out->model_dir));
        else if (f.number == REQUEST_RUNTIME)
            good = take_string(&f, out->runtime, sizeof(out->runtime));
        else if (f.number == REQUEST_ENVIRONMENT && take_variable(&out->settings, &f, err) != PL_OK)
            return PL_MODEL;
    }
    if (!good || reader.malformed)
        return malformed(err);
    if (out->model_dir[0] == '\0')
        return refuse(err, STATUS_FAILED, "the load request names no model directory");
    if (strcmp(out->runtime, "xgboost") != 0)
        return refuse(err, STATUS_FAILED, "runtime '%s' is not supported: this runner has xgboost", out->runtime);
    return PL_OK;
}

static uint8_t *put_text(uint8_t *out, uint32_t field, const char *text)
{
    return wire_put_bytes(out, field, text, strlen(text));
}

void load_response_write(struct pl_buf *out, const struct model_facts *facts, int64_t load_us, int64_t warm_us)
{
    uint8_t inner[sizeof(*facts) + 7 * WIRE_MAX_HEADER], outer[sizeof(inner) + 4 * WIRE_MAX_HEADER];
    uint8_t *end = inner;

    end = put_text(end, FACTS_VERSION, facts->version);
    end = put_text(end, FACTS_OBJECTIVE, facts->objective);
    end = wire_put_varint(end, FACTS_FEATURES, facts->features);
    end = wire_put_varint(end, FACTS_OUTPUTS, facts->outputs);
    end = wire_put_varint(end, FACTS_FILES, facts->files);
    end = wire_put_varint(end, FACTS_FORESTS, facts->forests);
    end = put_text(end, FACTS_NOTE, facts->note);
    end = wire_put_bytes(outer, RESPONSE_FACTS, inner, (size_t)(end - inner));
    end = wire_put_varint(end, RESPONSE_LOAD_US, (uint64_t)load_us);
    end = wire_put_varint(end, RESPONSE_WARM_US, (uint64_t)warm_us);
    if (facts->forest_damaged)
        end = wire_put_varint(end, RESPONSE_DAMAGED, 1);
    (void)pl_buf_add(out, outer, (size_t)(end - outer));
}

void runner_error_write(struct pl_buf *out, const struct pl_err *err)
{
    uint8_t bytes[sizeof(err->message) + 3 * WIRE_MAX_HEADER];
    uint8_t *end = wire_put_varint(bytes, ERROR_STATUS, (uint64_t)err->model_status);

    end = put_text(end, ERROR_MESSAGE, err->message);
    if (strcmp(err->reason, MODEL_FOREST_DAMAGED) == 0)
        end = wire_put_varint(end, ERROR_DAMAGED, 1);
    (void)pl_buf_add(out, bytes, (size_t)(end - bytes));
}

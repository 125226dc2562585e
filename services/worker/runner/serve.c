/* The life of an instance.
 *
 *     LOAD     load.c reads what to load; model_xgboost.c loads it and makes one prediction; the answer is LOADED with
 *              what was learned, or FAILED with the reason, after which the host closes
 *     INVOKE   request.c finds the body; invoke.c turns it into rows, predictions and text; the answer is RESULT, or
 *              ERROR with the status that the model's container would have answered. One at a time, as often as the
 *              worker, or the router that has borrowed this instance, likes
 *     end      the worker closed its end: this process leaves. So it does when the worker dies (main.c)
 *
 * A warm request is one poll(), one recv(), a look at five fields, XGBoost, one send(); it allocates nothing here. */
#include "serve.h"

#include "base/mem.h"
#include "base/time.h"
#include "code_pages.h"
#include "forest/forest.h"
#include "forest/smallest.h"
#include "host_link.h"
#include "invoke.h"
#include "load.h"
#include "model.h"
#include "model_files.h"
#include "refuse.h"
#include "request.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_STOPPED = 0, EXIT_PROTOCOL = 2 };

/* pilotlight.internal.v1.WorkerInvokeResponse */
enum { FIELD_BODY = 1, FIELD_CONTENT_TYPE = 2, FIELD_MODEL_STATUS = 5 };

#define MAX_FIELDS_AFTER_BODY 128

struct serving {
    struct host_link link;
    struct load_request load;
    struct model *model; /* NULL until LOAD has worked */
    struct matrix rows;
};

static bool answer_failed(struct serving *in, uint64_t id, const struct pl_err *err)
{
    host_link_begin(&in->link, sizeof(err->message) + MAX_FIELDS_AFTER_BODY);
    runner_error_write(&in->link.out, err);
    return host_link_send(&in->link, FRAME_FAILED, id, NULL, 0);
}

static bool answer_error(struct serving *in, uint64_t id, const struct pl_err *err)
{
    host_link_begin(&in->link, sizeof(err->message) + MAX_FIELDS_AFTER_BODY);
    refusal_write(&in->link.out, err);
    return host_link_send(&in->link, FRAME_ERROR, id, NULL, 0);
}

static bool on_load(struct serving *in, uint64_t id, const uint8_t *payload, size_t n)
{
    struct pl_err err = { 0 };
    int64_t start_us = pl_now_us(), loaded_us;

    if (load_request_read(&in->load, payload, n, &err) != PL_OK ||
        model_open(&in->model, in->load.model_dir, in->load.settings.ensemble, &err) != PL_OK)
        return answer_failed(in, id, &err);
    loaded_us = pl_now_us();
    if (model_warm(in->model, &err) != PL_OK) {
        model_close(pl_take(in->model));
        return answer_failed(in, id, &err);
    }
    host_link_begin(&in->link, sizeof(struct model_facts) + MAX_FIELDS_AFTER_BODY);
    load_response_write(&in->link.out, model_facts(in->model), loaded_us - start_us, pl_now_us() - loaded_us);
    return host_link_send(&in->link, FRAME_LOADED, id, NULL, 0);
}

/* The body is in the buffer already: the fields after it are appended, its own tag and length go in front. */
static bool answer_result(struct serving *in, uint64_t id, const struct answer *answer)
{
    uint8_t prefix[WIRE_MAX_HEADER], after[MAX_FIELDS_AFTER_BODY];
    uint8_t *end = wire_put_bytes(after, FIELD_CONTENT_TYPE, answer->content_type, strlen(answer->content_type));
    size_t body = in->link.out.len - LINK_HEADROOM, n;

    end = wire_put_varint(end, FIELD_MODEL_STATUS, (uint64_t)answer->status);
    n = body ? (size_t)(wire_put_header(prefix, FIELD_BODY, body) - prefix) : 0;
    (void)pl_buf_add(&in->link.out, after, (size_t)(end - after));
    return host_link_send(&in->link, FRAME_RESULT, id, prefix, n);
}

static bool on_invoke(struct serving *in, uint64_t id, const uint8_t *payload, size_t n)
{
    struct pl_err err = { 0 };
    struct request request;
    struct answer answer;
    bool sent;

    host_link_begin(&in->link, INVOKE_MAX_ANSWER + MAX_FIELDS_AFTER_BODY);
    if (request_read(&request, payload, n, &err) != PL_OK ||
        invoke(in->model, &in->load.settings, &request, &in->rows, &in->link.out, &answer, &err) != PL_OK)
        sent = answer_error(in, id, &err);
    else
        sent = answer_result(in, id, &answer);
    matrix_trim(&in->rows);
    return sent;
}

/* False: not what the host may send now. */
static bool on_frame(struct serving *in, const struct frame_header *h, const uint8_t *payload, bool *out_sent)
{
    if (h->kind == FRAME_LOAD && !in->model)
        *out_sent = on_load(in, h->id, payload, h->length);
    else if (h->kind == FRAME_INVOKE && in->model)
        *out_sent = on_invoke(in, h->id, payload, h->length);
    else
        return false;
    return true;
}

static int run(struct serving *in)
{
    struct frame_header h;
    const uint8_t *payload;
    enum link_event event;
    bool sent;

    for (;;) {
        event = host_link_receive(&in->link, &h, &payload);
        if (event == LINK_HANDLED)
            continue;
        if (event != LINK_FRAME)
            break;
        if (!on_frame(in, &h, payload, &sent)) {
            (void)fprintf(stderr, "pilotlight-runner: unexpected frame of kind %d\n", (int)h.kind);
            return EXIT_PROTOCOL;
        }
        if (!sent)
            return EXIT_STOPPED;
    }
    if (event == LINK_END)
        return EXIT_STOPPED;
    (void)fprintf(stderr, "pilotlight-runner: what came from the host is not a frame\n");
    return EXIT_PROTOCOL;
}

/* ---- rehearsal ---- */

/* As they come: a LOAD with one variable, and an INVOKE of a row. */
static size_t write_load(uint8_t *out)
{
    uint8_t variable[64], *end = wire_put_bytes(variable, 1, "SAGEMAKER_CONTAINER_LOG_LEVEL", 29);
    size_t n = (size_t)(wire_put_bytes(end, 2, "20", 2) - variable);

    end = wire_put_bytes(out, 1, ".", 1);
    end = wire_put_bytes(end, 2, "xgboost", 7);
    return (size_t)(wire_put_bytes(end, 3, variable, n) - out);
}

static size_t write_invoke(uint8_t *out)
{
    uint8_t *end = wire_put_bytes(out, 1, "rehearsal", 9);

    end = wire_put_bytes(end, 2, "text/csv", 8);
    return (size_t)(wire_put_bytes(end, 4, "-0.12345678\n", 12) - out);
}

static bool rehearse_load(struct serving *in, const uint8_t *payload, size_t n, struct pl_err *err)
{
    static _Alignas(64) uint8_t bytes[FOREST_SMALLEST_ROOM];
    size_t length = forest_smallest(bytes);
    int64_t now_us = pl_now_us();
    struct forest *forest;

    if (load_request_read(&in->load, payload, n, err) != PL_OK || forest_view(&forest, bytes, length, err) != PL_OK)
        return false;
    in->model = model_of_forest(forest);
    if (model_warm(in->model, err) != PL_OK)
        return false;
    host_link_begin(&in->link, sizeof(struct model_facts) + MAX_FIELDS_AFTER_BODY);
    load_response_write(&in->link.out, model_facts(in->model), now_us, now_us);
    return true;
}

static bool rehearse_invoke(struct serving *in, const uint8_t *payload, size_t n, struct pl_err *err)
{
    struct request request;
    struct answer answer;

    host_link_begin(&in->link, INVOKE_MAX_ANSWER + MAX_FIELDS_AFTER_BODY);
    return request_read(&request, payload, n, err) == PL_OK &&
           invoke(in->model, &in->load.settings, &request, &in->rows, &in->link.out, &answer, err) == PL_OK;
}

/* A folder is listed, as a model's is, and a name kept; that there is no model in this one is of no interest. */
static void rehearse_listing(void)
{
    char *name = pl_strdup("xgboost-model");
    struct model_files files;
    struct pl_err none;

    if (model_files_open(&files, AT_FDCWD, "/", &none) == PL_OK)
        model_files_done(&files);
    free(name); /* by hand: clang takes a variable that is only cleaned up for unused */
}

bool serving_rehearse(struct serving *in)
{
    struct pl_err err = { 0 };
    uint8_t payload[256];
    bool worked;

    code_pages_map();
    rehearse_listing();
    worked = host_link_warm(&in->link) && rehearse_load(in, payload, write_load(payload), &err) &&
             rehearse_invoke(in, payload, write_invoke(payload), &err);
    if (!worked)
        (void)fprintf(stderr, "pilotlight-runner: the rehearsal failed: %s\n", err.message);
    model_close(pl_take(in->model));
    return worked;
}

/* ---- life ---- */

struct serving *serving_new(void)
{
    struct serving *in = PL_NEW(struct serving);

    host_link_init(&in->link, -1);
    return in;
}

int serving_run(struct serving *in, int host_fd)
{
    int code;

    in->link.fd = host_fd;
    code = run(in);
    model_close(in->model);
    matrix_done(&in->rows);
    host_link_done(&in->link);
    free(in);
    return code;
}

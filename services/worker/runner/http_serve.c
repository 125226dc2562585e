/* The life of an instance of the http runtime; that of the others is told in serve.c.
 *
 *     LOAD     http_load.c reads it, http_app.c starts the program and waits for its /ping
 *     INVOKE   http_app.c: one exchange; RESULT, or ERROR with the program's status and text
 *     end      the host closed: the program is asked to stop, and killed after a while. When the program ends first,
 *              so do we, and say how on the log */
#include "http_serve.h"

#include "base/time.h"
#include "host_link.h"
#include "http_app.h"
#include "http_load.h"
#include "invoke.h"
#include "load.h"
#include "model.h"
#include "refuse.h"
#include "request.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_STOPPED = 0, EXIT_PROGRAM = 1, EXIT_PROTOCOL = 2 };

/* pilotlight.internal.v1.WorkerInvokeResponse */
enum { FIELD_BODY = 1, FIELD_CONTENT_TYPE = 2, FIELD_CUSTOM_ATTRIBUTES = 4, FIELD_MODEL_STATUS = 5 };

#define MAX_FIELDS_AFTER_BODY (2 * HTTP_TEXT_MAX + 128)

struct instance {
    struct host_link link;
    struct http_load load;
    struct http_app *app; /* NULL until LOAD has worked */
    int stop_grace_ms;
};

static bool answer_failed(struct instance *in, uint64_t id, const struct pl_err *err)
{
    host_link_begin(&in->link, sizeof(err->message) + MAX_FIELDS_AFTER_BODY);
    runner_error_write(&in->link.out, err);
    return host_link_send(&in->link, FRAME_FAILED, id, NULL, 0);
}

static bool answer_error(struct instance *in, uint64_t id, const struct pl_err *err)
{
    host_link_begin(&in->link, sizeof(err->message) + MAX_FIELDS_AFTER_BODY);
    refusal_write(&in->link.out, err);
    return host_link_send(&in->link, FRAME_ERROR, id, NULL, 0);
}

static bool on_load(struct instance *in, uint64_t id, const uint8_t *payload, size_t n)
{
    struct model_facts facts = { .version = "http", .files = 1 };
    int64_t start_us = pl_now_us();
    struct pl_err err = { 0 };

    if (http_load_read(&in->load, payload, n, &err) == PL_OK)
        in->load.spec.stop_grace_ms = in->stop_grace_ms;
    if (err.code != PL_OK || http_app_open(&in->app, &in->load.spec, &err) != PL_OK) {
        http_load_done(&in->load);
        return answer_failed(in, id, &err);
    }
    (void)snprintf(facts.objective, sizeof(facts.objective), "%s", http_app_name(in->app));
    for (char *c = facts.objective; *c; c++)
        *c = *c < 0x20 || *c > 0x7e ? '?' : *c;
    host_link_begin(&in->link, sizeof(facts) + MAX_FIELDS_AFTER_BODY);
    load_response_write(&in->link.out, &facts, pl_now_us() - start_us, 0);
    return host_link_send(&in->link, FRAME_LOADED, id, NULL, 0);
}

static uint8_t *put_text(uint8_t *out, uint32_t field, const char *text)
{
    return text[0] ? wire_put_bytes(out, field, text, strlen(text)) : out;
}

/* The body is in the buffer already: the fields after it are appended, its own tag and length go in front. */
static bool answer_with(struct instance *in, enum frame_kind kind, uint64_t id, const struct http_answer *a, int status)
{
    uint8_t prefix[WIRE_MAX_HEADER], after[MAX_FIELDS_AFTER_BODY];
    size_t body = in->link.out.len - LINK_HEADROOM, n;
    uint8_t *end = put_text(after, FIELD_CONTENT_TYPE, a->content_type);

    end = put_text(end, FIELD_CUSTOM_ATTRIBUTES, a->custom_attributes);
    end = wire_put_varint(end, FIELD_MODEL_STATUS, (uint64_t)status);
    n = body ? (size_t)(wire_put_header(prefix, FIELD_BODY, body) - prefix) : 0;
    in->link.out.limit += MAX_FIELDS_AFTER_BODY;
    (void)pl_buf_add(&in->link.out, after, (size_t)(end - after));
    return host_link_send(&in->link, kind, id, prefix, n);
}

/* A status that is no success: the body is what the caller hears, as much of it as there is room for. */
static bool answer_refusal(struct instance *in, uint64_t id, const struct http_answer *a)
{
    struct pl_buf *out = &in->link.out;
    int status = a->status >= 400 && a->status <= 599 ? a->status : STATUS_FAILED;
    struct pl_err err;

    if (out->len == LINK_HEADROOM) {
        (void)refuse(&err, status, "the program answered with the status %d and no text", a->status);
        return answer_error(in, id, &err);
    }
    if (out->len > LINK_HEADROOM + FRAME_MAX_ERROR) { /* cut on a character */
        out->len = LINK_HEADROOM + FRAME_MAX_ERROR;
        for (int i = 0; i < 3 && ((unsigned char)out->data[out->len] & 0xC0) == 0x80; i++)
            out->len--;
    }
    return answer_with(in, FRAME_ERROR, id, a, status);
}

/* A program that ended instead of answering is not answered for: its end is ours, and our last words are the caller's.
 */
static bool on_invoke(struct instance *in, uint64_t id, const uint8_t *payload, size_t n)
{
    struct pl_err err = { 0 };
    struct request request;

    host_link_begin(&in->link, INVOKE_MAX_ANSWER);
    if (request_read(&request, payload, n, &err) == PL_OK &&
        http_app_invoke(in->app, &request, &in->link.out, &err) == PL_OK) {
        const struct http_answer *a = http_app_answer(in->app);

        return a->status < 300 ? answer_with(in, FRAME_RESULT, id, a, a->status) : answer_refusal(in, id, a);
    }
    if (http_app_alive(in->app))
        return answer_error(in, id, &err);
    return true;
}

/* False: not what the host may send now. */
static bool on_frame(struct instance *in, const struct frame_header *h, const uint8_t *payload, bool *out_sent)
{
    if (h->kind == FRAME_LOAD && !in->app)
        *out_sent = on_load(in, h->id, payload, h->length);
    else if (h->kind == FRAME_INVOKE && in->app)
        *out_sent = on_invoke(in, h->id, payload, h->length);
    else
        return false;
    return true;
}

static int run(struct instance *in)
{
    struct frame_header h;
    const uint8_t *payload;
    enum link_event event;
    struct pl_err err;
    int fds[HTTP_WAIT_FDS];
    bool sent;

    for (;;) {
        if (in->app && !host_link_has_more(&in->link) &&
            !http_app_idle(in->app, fds, host_link_fds(&in->link, fds), &err)) {
            (void)fprintf(stderr, "pilotlight-runner: %s\n", err.message);
            return EXIT_PROGRAM;
        }
        event = host_link_receive(&in->link, &h, &payload);
        if (event == LINK_HANDLED)
            continue;
        if (event == LINK_END)
            return EXIT_STOPPED;
        if (event != LINK_FRAME || !on_frame(in, &h, payload, &sent)) {
            (void)fprintf(stderr, "pilotlight-runner: what came from the host is not a frame that may come now\n");
            return EXIT_PROTOCOL;
        }
        if (!sent)
            return EXIT_STOPPED;
    }
}

int http_serve(int host_fd, int stop_grace_ms)
{
    struct instance in = { .stop_grace_ms = stop_grace_ms };
    int code;

    /* The program shall not have it. */
    (void)fcntl(host_fd, F_SETFD, FD_CLOEXEC);
    host_link_init(&in.link, host_fd);
    in.link.own_code = true;
    code = run(&in);
    host_link_done(&in.link);
    http_app_close(in.app);
    http_load_done(&in.load);
    return code;
}

#include "invoke_run.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "client.h"
#include "exits.h"
#include "loop/loop.h"
#include "output.h"
#include "rpc/client.h"

#include "pilotlight/v1/inference.pb-c.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW 1024 /* answers that may wait for an earlier one */

struct answer {
    bool ended;
    char *body; /* NULL: nothing to print */
    size_t len;
};

struct slot {
    struct run *run;
    size_t call; /* which one it is about */
    int64_t sent_us;
    bool busy;
};

struct run {
    struct client *client;
    const struct invoke_plan *plan;
    struct invoke_result *result;
    struct slot *slots;
    struct answer *window; /* call i at i % WINDOW */
    size_t next;           /* call to send    */
    size_t printed;        /* calls printed   */
    pthread_mutex_t lock;  /* guards 'over'   */
    pthread_cond_t ended;
    bool over;
};

static void on_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes);

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

static void send_next(struct run *r, struct slot *s)
{
    const struct invoke_plan *p = r->plan;
    const struct invoke_body *body = &p->bodies[r->next % p->body_count];
    Pilotlight__V1__InvokeRequest request = PILOTLIGHT__V1__INVOKE_REQUEST__INIT;
    request.endpoint_name = borrowed(p->endpoint);
    request.content_type = borrowed(p->content_type);
    request.accept = borrowed(p->accept);
    request.target_variant = borrowed(p->target_variant);
    request.custom_attributes = borrowed(p->custom_attributes);
    request.inference_id = borrowed(p->inference_id);
    request.body = (ProtobufCBinaryData){ .len = body->len, .data = (uint8_t *)(uintptr_t)body->bytes };
    request.model_error_as_response = true; /* a status would hold only the beginning */
    struct rpc_send send = {
        .path = "/pilotlight.v1.InferenceService/Invoke",
        .message = &request.base,
        .reply = &pilotlight__v1__invoke_response__descriptor,
        .timeout_ms = p->timeout_ms,
        .done = on_done,
        .arg = s,
    };
    s->call = r->next++;
    s->busy = true;
    s->sent_us = pl_now_us();
    rpc_send(client_channel(r->client, CLIENT_ROUTER), &send);
}

/* Every idle slot gets a call, as far as there are any and the window has room. */
static void fill(struct run *r)
{
    for (unsigned i = 0; i < r->plan->concurrency; i++) {
        if (!r->slots[i].busy && r->next < r->plan->calls && r->next < r->printed + WINDOW)
            send_next(r, &r->slots[i]);
    }
}

static void print_timings(const struct run *r, size_t call, const Pilotlight__V1__InvokeResponse *reply,
                          int64_t client_us)
{
    static const Pilotlight__V1__Timings none = PILOTLIGHT__V1__TIMINGS__INIT;
    const Pilotlight__V1__Timings *t = reply->timings ? reply->timings : &none;
    const int64_t parts[] = { t->queue_us, t->start_us,    t->sandbox_us, t->load_us, t->first_predict_us,
                              t->model_us, t->overhead_us, t->total_us,   client_us };
    char text[24];
    fprintf(r->plan->notes, "%6zu  %-16.40s %-5s", call + 1, *reply->variant ? reply->variant : "-",
            t->cold ? "cold" : "warm");
    for (size_t i = 0; i < PL_COUNT(parts); i++)
        fprintf(r->plan->notes, " %10s", output_micros(parts[i], text));
    fprintf(r->plan->notes, "\n");
}

/* Prints what is due: one answer exactly as it came; of several, and before people's eyes, each ends its line. */
static void print_due(struct run *r)
{
    bool lines = r->plan->calls > 1 || isatty(fileno(r->plan->answers));
    while (r->printed < r->next && r->window[r->printed % WINDOW].ended) {
        struct answer *a = &r->window[r->printed % WINDOW];
        if (a->body) {
            fwrite(a->body, 1, a->len, r->plan->answers);
            if (lines && (a->len == 0 || a->body[a->len - 1] != '\n'))
                fputc('\n', r->plan->answers);
        }
        free(a->body);
        *a = (struct answer){ 0 };
        r->printed++;
    }
}

static void keep_body(struct run *r, struct answer *a, const ProtobufCBinaryData *body)
{
    if (r->plan->quiet)
        return;
    a->body = malloc(body->len + 1);
    if (!a->body)
        pl_die("out of memory for an answer of %zu bytes", body->len);
    if (body->len)
        memcpy(a->body, body->data, body->len);
    a->len = body->len;
}

static void record_failure(struct run *r, const struct pl_err *status)
{
    struct pl_err err = *status;
    char limit[24];
    if (client_explain(r->client, CLIENT_ROUTER, &err) == PL_DEADLINE && !*err.reason)
        (void)pl_err_prefix(&err, "no answer within %s (--timeout)", pl_duration_text(r->plan->timeout_ms, limit));
    latency_failed(&r->result->latency, exit_label(&err));
    if (r->result->first.code == PL_OK)
        r->result->first = err;
}

/* What moves the cursor or changes colours does not get to a terminal. */
static char *fit_for_terminal(const ProtobufCBinaryData *body)
{
    char *text = pl_new0(1, body->len + 1);
    if (body->len)
        memcpy(text, body->data, body->len);
    pl_utf8_clean(text, body->len);
    for (unsigned char *c = (unsigned char *)text; c < (unsigned char *)text + body->len; c++) {
        if ((*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f)
            *c = '?';
        else if (*c == 0xc2 && c[1] < 0xa0) /* a control character of two bytes */
            *c = c[1] = '?';
    }
    return text;
}

static void record_refusal(struct run *r, const Pilotlight__V1__InvokeResponse *reply)
{
    pl_cleanup(pl_free_p) char *said = fit_for_terminal(&reply->body);
    bool is_first = r->result->first.code == PL_OK;
    struct pl_err err;
    (void)pl_fail_reason(&err, PL_MODEL, "MODEL_ERROR", NULL, "%s", *said ? said : "the model gave no reason");
    err.model_status = reply->model_status;
    record_failure(r, &err);
    if (is_first && *said)
        r->result->said = pl_take(said);
}

static void on_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct slot *s = arg;
    struct run *r = s->run;
    const Pilotlight__V1__InvokeResponse *reply = message;
    struct answer *a = &r->window[s->call % WINDOW];
    int64_t took_us = pl_now_us() - s->sent_us;
    (void)bytes;
    a->ended = true;
    s->busy = false;
    if (status->code != PL_OK) {
        record_failure(r, status);
    } else if (reply->model_status >= 400) {
        record_refusal(r, reply);
    } else {
        latency_answered(&r->result->latency, took_us, reply->timings && reply->timings->cold);
        if (r->plan->timings)
            print_timings(r, s->call, reply, took_us);
        keep_body(r, a, &reply->body);
    }
    print_due(r);
    fill(r);
    if (r->printed == r->plan->calls) {
        pthread_mutex_lock(&r->lock);
        r->over = true;
        pthread_cond_signal(&r->ended);
        pthread_mutex_unlock(&r->lock);
    }
}

void invoke_run(struct client *c, const struct invoke_plan *plan, struct invoke_result *out)
{
    struct run r = { .client = c, .plan = plan, .result = out };
    *out = (struct invoke_result){ 0 };
    latency_init(&out->latency, plan->calls);
    r.slots = pl_new0(plan->concurrency, sizeof(*r.slots));
    r.window = pl_new0(WINDOW, sizeof(*r.window));
    for (unsigned i = 0; i < plan->concurrency; i++)
        r.slots[i].run = &r;
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.ended, NULL);
    if (plan->timings)
        fprintf(plan->notes, "%6s  %-16s %-5s %10s %10s %10s %10s %10s %10s %10s %10s %10s\n", "call", "variant", "",
                "queue", "start", "sandbox", "load", "first", "model", "overhead", "total", "client");
    int64_t started_us = pl_now_us();
    loop_enter(client_loop(c));
    fill(&r);
    loop_leave(client_loop(c));
    pthread_mutex_lock(&r.lock);
    while (!r.over)
        pthread_cond_wait(&r.ended, &r.lock);
    pthread_mutex_unlock(&r.lock);
    out->elapsed_us = pl_now_us() - started_us;
    pthread_cond_destroy(&r.ended);
    pthread_mutex_destroy(&r.lock);
    free(r.window);
    free(r.slots);
}

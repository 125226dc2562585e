/* load - calls one unary method over and over and says how long the calls took.
 *
 * A client on the C core: one thread, one channel, one completion queue, C calls outstanding; each answered call is
 * sent again. The same program drives every server that tests/bench/run compares. A call that fails or has another
 * answer ends the run with exit 1. Output: one line of JSON; latencies in microseconds, from the start of the call's
 * batch to its completion. */
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_common.h"

#define CALL_LIMIT_S 60

struct load {
    const char *target, *path;
    struct bytes payload, expected; /* 'expected' must be part of each answer; empty: anything will do */
    unsigned concurrency;
    double seconds, pause_ms; /* 'pause_ms': nobody calls for so long before each call */
    uint64_t calls, warmup;   /* 'calls' 0: until 'seconds' are over */

    grpc_channel *channel;
    grpc_completion_queue *queue;
    void *method;
    grpc_slice request;

    uint64_t sent, answered;
    int64_t started_ns, end_ns; /* 'started_ns' 0: warming up */
    struct latencies latencies;
};

struct slot {
    grpc_call *call;
    grpc_byte_buffer *request, *reply;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice details;
    int64_t sent_ns;
};

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "load: %s%s%s\n", what, *detail ? ": " : "", detail);
    exit(1);
}

/* ---- one call ---- */

static void wait_a_moment(const struct load *l)
{
    struct timespec t = { .tv_sec = (time_t)(l->pause_ms / 1000),
                          .tv_nsec = (long)((int64_t)(l->pause_ms * 1e6) % 1000000000) };

    if (l->pause_ms > 0)
        (void)nanosleep(&t, NULL);
}

static void send_call(struct load *l, struct slot *s)
{
    gpr_timespec limit = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(CALL_LIMIT_S, GPR_TIMESPAN));
    grpc_op ops[6] = {
        { .op = GRPC_OP_SEND_INITIAL_METADATA },
        { .op = GRPC_OP_SEND_MESSAGE },
        { .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
        { .op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &s->initial },
        { .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &s->reply },
        { .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
          .data.recv_status_on_client = { .trailing_metadata = &s->trailing,
                                          .status = &s->status,
                                          .status_details = &s->details } },
    };

    l->sent++;
    wait_a_moment(l);
    s->sent_ns = now_ns();
    s->call = grpc_channel_create_registered_call(l->channel, NULL, GRPC_PROPAGATE_DEFAULTS, l->queue, l->method, limit,
                                                  NULL);
    s->request = grpc_raw_byte_buffer_create(&l->request, 1);
    ops[1].data.send_message.send_message = s->request;
    grpc_metadata_array_init(&s->initial);
    grpc_metadata_array_init(&s->trailing);
    if (grpc_call_start_batch(s->call, ops, 6, s, NULL) != GRPC_CALL_OK)
        die("cannot start a call", "");
}

static void check_answer(struct load *l, struct slot *s)
{
    if (s->status != GRPC_STATUS_OK) {
        char *text = grpc_slice_to_c_string(s->details);
        char status[32];

        snprintf(status, sizeof(status), "status %d", s->status);
        fprintf(stderr, "load: a call ended with %s\n", status);
        die(l->target, text);
    }
    if (!s->reply)
        die("a call was OK without an answer", "");
    if (l->expected.len == 0)
        return;
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, s->reply))
        die("an answer cannot be read", "");
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    if (!memmem(GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all), l->expected.data, l->expected.len))
        die("a call got another answer than expected", "");
    grpc_slice_unref(all);
    grpc_byte_buffer_reader_destroy(&reader);
}

static void end_call(struct slot *s)
{
    grpc_byte_buffer_destroy(s->request);
    grpc_byte_buffer_destroy(s->reply);
    grpc_metadata_array_destroy(&s->initial);
    grpc_metadata_array_destroy(&s->trailing);
    grpc_slice_unref(s->details);
    grpc_call_unref(s->call);
    s->reply = NULL;
}

/* ---- the run ---- */

/* The connection is there before the first call: what is measured is calls. */
static void connect_first(struct load *l)
{
    gpr_timespec limit = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(CALL_LIMIT_S, GPR_TIMESPAN));
    grpc_connectivity_state state;

    while ((state = grpc_channel_check_connectivity_state(l->channel, 1)) != GRPC_CHANNEL_READY) {
        grpc_channel_watch_connectivity_state(l->channel, state, limit, l->queue, NULL);
        if (!grpc_completion_queue_next(l->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).success)
            die("no connection to", l->target);
    }
}

static bool goes_on(const struct load *l, int64_t now)
{
    if (l->started_ns == 0)
        return true;
    return l->calls ? l->sent < l->calls : now < l->end_ns;
}

/* Calls are counted and timed from the moment when the warm-up is over, with the pipeline full. */
static void start_measuring(struct load *l, int64_t now)
{
    l->started_ns = now;
    l->end_ns = now + (int64_t)(l->seconds * 1e9);
    l->sent = 0;
}

static int64_t run(struct load *l)
{
    struct slot *slots = calloc(l->concurrency, sizeof(*slots));
    unsigned open = l->concurrency;
    int64_t now = now_ns(), last_ns;

    if (!slots)
        die("out of memory", "");
    if (l->warmup == 0)
        start_measuring(l, now);
    for (unsigned i = 0; i < l->concurrency; i++)
        send_call(l, &slots[i]);
    while (open > 0) {
        grpc_event event = grpc_completion_queue_next(l->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct slot *s = event.tag;

        now = now_ns();
        check_answer(l, s);
        l->answered++;
        if (l->started_ns && s->sent_ns >= l->started_ns)
            latencies_add(&l->latencies, now - s->sent_ns);
        end_call(s);
        if (l->started_ns == 0 && l->answered >= l->warmup)
            start_measuring(l, now);
        if (goes_on(l, now))
            send_call(l, s);
        else
            open--;
    }
    last_ns = now;
    free(slots);
    return last_ns - l->started_ns;
}

/* ---- options ---- */

static void usage(FILE *out)
{
    fprintf(out, "usage: load --target HOST:PORT --path /package.Service/Method --payload-file FILE\n"
                 "            [--expect-file FILE] [--concurrency C] [--seconds S | --calls N] [--warmup N]\n"
                 "            [--pause-ms P]\n\n"
                 "--expect-file: bytes that each answer must contain\n"
                 "--pause-ms: before each call\n");
}

static void parse(struct load *l, int argc, char **argv)
{
    static const struct option options[] = {
        { "target", required_argument, NULL, 't' },
        { "path", required_argument, NULL, 'p' },
        { "payload-file", required_argument, NULL, 'f' },
        { "expect-file", required_argument, NULL, 'e' },
        { "concurrency", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 's' },
        { "calls", required_argument, NULL, 'n' },
        { "warmup", required_argument, NULL, 'w' },
        { "pause-ms", required_argument, NULL, 'i' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 't':
            l->target = optarg;
            break;
        case 'p':
            l->path = optarg;
            break;
        case 'f':
            l->payload = read_file(optarg);
            break;
        case 'e':
            l->expected = read_file(optarg);
            break;
        case 'c':
            l->concurrency = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            l->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            l->calls = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            l->warmup = strtoull(optarg, NULL, 10);
            break;
        case 'i':
            l->pause_ms = strtod(optarg, NULL);
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (!l->target || !l->path || !l->payload.data || l->concurrency < 1 || l->concurrency > 4096) {
        usage(stderr);
        exit(2);
    }
    if (l->calls && l->calls < l->concurrency)
        l->concurrency = (unsigned)l->calls;
}

int main(int argc, char **argv)
{
    struct load l = { .concurrency = 1, .seconds = 2 };

    parse(&l, argc, argv);
    grpc_init();
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    l.channel = grpc_channel_create(l.target, plain, NULL);
    grpc_channel_credentials_release(plain);
    l.queue = grpc_completion_queue_create_for_next(NULL);
    l.method = grpc_channel_register_call(l.channel, l.path, NULL, NULL);
    l.request = grpc_slice_from_copied_buffer(l.payload.data, l.payload.len);
    connect_first(&l);
    latencies_report(&l.latencies, l.concurrency, run(&l));
    grpc_slice_unref(l.request);
    grpc_channel_destroy(l.channel);
    grpc_completion_queue_shutdown(l.queue);
    while (grpc_completion_queue_next(l.queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(l.queue);
    grpc_shutdown();
    free(l.latencies.micros_x10);
    free(l.payload.data);
    free(l.expected.data);
    return 0;
}

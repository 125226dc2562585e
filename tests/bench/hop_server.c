/* hop_server - one bare gRPC hop: a unary echo over TCP on the C core, as little as can be.
 *
 *     hop_server PATH
 *
 * PATH is the method, "/bench.Echo/Call". Listens on a free port of 127.0.0.1 and prints it. One completion queue, one
 * thread, a registered method whose payload arrives with the call, so that a call is two completions: it came, it is
 * answered. Runs until it is killed. It is the unit in which tests/bench/run measures the product. */
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCEPTED 256 /* calls that may be open at once */

struct hop {
    bool arrived; /* what its tag means next: false = answered */
    grpc_call *call;
    grpc_byte_buffer *payload;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    int cancelled;
};

static grpc_server *server;
static grpc_completion_queue *queue;
static void *method;

static void await_call(struct hop *h)
{
    h->arrived = true;
    grpc_metadata_array_init(&h->metadata);
    grpc_call_error failed = grpc_server_request_registered_call(server, method, &h->call, &h->deadline, &h->metadata,
                                                                 &h->payload, queue, queue, h);
    if (failed != GRPC_CALL_OK) {
        fprintf(stderr, "hop_server: cannot await a call: %s\n", grpc_call_error_to_string(failed));
        exit(1);
    }
}

static void echo(struct hop *h)
{
    grpc_op ops[4] = {
        { .op = GRPC_OP_SEND_INITIAL_METADATA },
        { .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = h->payload },
        { .op = GRPC_OP_SEND_STATUS_FROM_SERVER, .data.send_status_from_server.status = GRPC_STATUS_OK },
        { .op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &h->cancelled },
    };

    h->arrived = false;
    grpc_call_error failed = grpc_call_start_batch(h->call, ops, 4, h, NULL);
    if (failed != GRPC_CALL_OK) {
        fprintf(stderr, "hop_server: cannot answer: %s\n", grpc_call_error_to_string(failed));
        exit(1);
    }
}

static void finish(struct hop *h)
{
    grpc_byte_buffer_destroy(h->payload);
    grpc_metadata_array_destroy(&h->metadata);
    grpc_call_unref(h->call);
    h->payload = NULL;
    h->call = NULL;
}

int main(int argc, char **argv)
{
    static struct hop hops[ACCEPTED];
    grpc_arg no_sharing = { .type = GRPC_ARG_INTEGER, .key = (char *)"grpc.so_reuseport", .value.integer = 0 };
    grpc_channel_args args = { .num_args = 1, .args = &no_sharing };

    if (argc != 2) {
        fprintf(stderr, "usage: hop_server /package.Service/Method\n");
        return 2;
    }
    grpc_init();
    server = grpc_server_create(&args, NULL);
    queue = grpc_completion_queue_create_for_next(NULL);
    method = grpc_server_register_method(server, argv[1], NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    grpc_server_register_completion_queue(server, queue, NULL);
    grpc_server_credentials *open_to_all = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(server, "127.0.0.1:0", open_to_all);
    grpc_server_credentials_release(open_to_all);
    if (port == 0) {
        fprintf(stderr, "hop_server: cannot listen on 127.0.0.1\n");
        return 1;
    }
    grpc_server_start(server);
    for (int i = 0; i < ACCEPTED; i++)
        await_call(&hops[i]);
    printf("%d\n", port);
    fflush(stdout);
    for (;;) {
        grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct hop *h = event.tag;

        if (h->arrived && event.success) {
            echo(h);
        } else {
            if (!h->arrived)
                finish(h);
            await_call(h);
        }
    }
}

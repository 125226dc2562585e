/* A router that has borrowed an instance: it has a socket of its own, and may go at any time. */
#include "serve_rig.h"

/* Its end of a second socket. */
static struct host attach(struct host *h)
{
    struct frame_header header = { .kind = FRAME_ATTACH };
    uint8_t bytes[FRAME_HEADER_SIZE];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } passing = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec span = { .iov_base = bytes, .iov_len = sizeof(bytes) };
    struct msghdr m = {
        .msg_iov = &span, .msg_iovlen = 1, .msg_control = &passing, .msg_controllen = sizeof(passing.room)
    };
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    memcpy(CMSG_DATA(&passing.header), &pair[1], sizeof(int));
    frame_encode(&header, bytes);
    assert_int_equal(sendmsg(h->fd, &m, MSG_NOSIGNAL), sizeof(bytes));
    close(pair[1]);
    return (struct host){ .fd = pair[0], .next_id = 5000 };
}

static void assert_one_row(struct host *h)
{
    result_t *r = as_result(invoke(h, "text/csv", "text/csv", "0,0,0,0,0,0,0,0,0,0", 19));

    assert_true(r->body.len > 0);
    pilotlight__internal__v1__worker_invoke_response__free_unpacked(r, NULL);
}

static void assert_ended(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char byte;

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

static void a_router_has_a_socket_of_its_own(void **state)
{
    struct host h = start_loaded(NULL, NULL), first, second;
    struct reply r;

    (void)state;
    first = attach(&h);
    for (int i = 0; i < 3; i++) {
        assert_one_row(&first);
        assert_one_row(&h);
    }
    second = attach(&h);
    assert_one_row(&second); /* it has replaced the first */
    assert_ended(first.fd);
    send_frame(&h, FRAME_DETACH, NULL, 0);
    r = receive(&h);
    assert_int_equal(r.header.kind, FRAME_DETACHED);
    assert_int_equal(r.header.length, 0);
    free(r.payload);
    assert_ended(second.fd);
    send_frame(&h, FRAME_DETACH, NULL, 0); /* there is nothing to let go of */
    r = receive(&h);
    assert_int_equal(r.header.kind, FRAME_DETACHED);
    free(r.payload);
    assert_one_row(&h);
    assert_int_equal(stop(&h), 0);
}

/* What it had sent, finished or not, is dropped; the instance goes on. */
static void a_router_that_leaves_is_not_the_end(void **state)
{
    static const uint8_t rubbish[FRAME_HEADER_SIZE] = { 0xff, 0xff, 0xff, 0xff, 9 };
    struct host h = start_loaded(NULL, NULL), router;

    (void)state;
    router = attach(&h);
    close(router.fd);
    assert_one_row(&h);
    router = attach(&h);
    send_frame(&router, FRAME_INVOKE, (const uint8_t *)"\x12\x08text/csv", 10); /* does not wait for the answer */
    close(router.fd);
    assert_one_row(&h);
    router = attach(&h);
    assert_int_equal(send(router.fd, rubbish, sizeof(rubbish) / 2, 0), sizeof(rubbish) / 2);
    close(router.fd);
    assert_one_row(&h);
    router = attach(&h);
    assert_int_equal(send(router.fd, rubbish, sizeof(rubbish), 0), sizeof(rubbish));
    assert_ended(router.fd); /* one that sends no frames is not listened to */
    router = attach(&h);
    assert_one_row(&router);
    close(router.fd);
    assert_int_equal(stop(&h), 0);
}

static void a_request_that_was_sent_is_served_before_it_leaves(void **state)
{
    struct host h = start_loaded(NULL, NULL), router;

    (void)state;
    router = attach(&h);
    assert_one_row(&router);
    kill(h.pid, SIGSTOP); /* both are there when it looks next */
    send_frame(&router, FRAME_INVOKE, (const uint8_t *)"\x12\x08text/csv", 10);
    close(h.fd);
    kill(h.pid, SIGCONT);
    free(receive(&router).payload);
    assert_int_equal(wait_exit(h.pid), 0);
    close(router.fd);
}

static int setup(void **state)
{
    (void)state;
    sample_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sample_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_router_has_a_socket_of_its_own),
        cmocka_unit_test(a_router_that_leaves_is_not_the_end),
        cmocka_unit_test(a_request_that_was_sent_is_served_before_it_leaves),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

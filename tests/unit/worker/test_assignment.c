/* What a blank process is sent: its model's folder as a descriptor, and its memory size. */
#include "assignment.h"
#include "unit_test.h"

#include "sandbox/plan.h"
#include "sandbox/zygote.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pl_err err;
static const struct sandbox_plan bare = { .profile = SANDBOX_TREES };

/* The instance's side; the descriptor, or -1. */
static int receive(int channel, struct zygote_assignment *out)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec span = { .iov_base = out, .iov_len = sizeof(*out) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    struct cmsghdr *c;
    int fd;

    assert_int_equal(recvmsg(channel, &m, MSG_CMSG_CLOEXEC), sizeof(*out));
    c = CMSG_FIRSTHDR(&m);
    if (!c)
        return -1;
    assert_int_equal(c->cmsg_type, SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static void a_folder_goes_as_a_descriptor(void **state)
{
    char dir[] = "/tmp/pilotlight-model-XXXXXX";
    struct assignment a = { .model = mkdtemp(dir), .door_fd = -1, .memory_size_mb = 2048, .rlimit_mb = 1900 };
    struct zygote_assignment got;
    struct stat sent, wanted;
    int ends[2], fd;

    (void)state;
    assert_non_null(a.model);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(assignment_send(ends[0], &bare, &a, &err), err);
    fd = receive(ends[1], &got);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &sent), 0);
    assert_int_equal(stat(dir, &wanted), 0);
    assert_int_equal(sent.st_ino, wanted.st_ino);
    assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH); /* to look through, not to change */
    assert_int_equal(got.magic, ZYGOTE_MAGIC);
    assert_int_equal(got.memory_size_mb, 2048);
    assert_int_equal(got.rlimit_mb, 1900);
    assert_int_equal(got.has_model, 1);
    (void)close(fd);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)rmdir(dir);
}

static void without_a_folder_nothing_but_the_size(void **state)
{
    struct assignment a = { .door_fd = -1, .memory_size_mb = 1024 };
    struct zygote_assignment got;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(assignment_send(ends[0], &bare, &a, &err), err);
    assert_int_equal(receive(ends[1], &got), -1);
    assert_int_equal(got.has_model, 0);
    assert_int_equal(got.rlimit_mb, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Alone here, and it stays the caller's. */
static void a_door_goes_along(void **state)
{
    struct assignment a = { .memory_size_mb = 1024 };
    struct zygote_assignment got;
    struct stat sent, wanted;
    int ends[2], door[2], fd;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, door), 0);
    a.door_fd = door[1];
    assert_ok(assignment_send(ends[0], &bare, &a, &err), err);
    fd = receive(ends[1], &got);
    assert_int_equal(got.has_door, 1);
    assert_int_equal(got.has_model, 0);
    assert_int_equal(fstat(fd, &sent), 0);
    assert_int_equal(fstat(door[1], &wanted), 0);
    assert_int_equal(sent.st_ino, wanted.st_ino);
    (void)close(fd);
    for (int i = 0; i < 2; i++) {
        (void)close(ends[i]);
        (void)close(door[i]);
    }
}

static void what_cannot_be_sent(void **state)
{
    struct assignment a = { .model = "/nonexistent/model", .door_fd = -1, .memory_size_mb = 1024 };
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(assignment_send(ends[0], &bare, &a, &err), PL_INTERNAL);
    assert_text(err.message, "No such file");
    (void)close(ends[1]);
    a.model = NULL;
    assert_int_equal(assignment_send(ends[0], &bare, &a, &err), PL_UNAVAILABLE); /* and no SIGPIPE */
    assert_string_equal(err.reason, "SPAWN_FAILED");
    (void)close(ends[0]);
}

static void who_is_made_for_its_model(void **state)
{
    struct sandbox_plan p = bare;

    (void)state;
    assert_false(assignment_by_name(&p));
    p.features = SANDBOX_BIT(ROOT);
    assert_true(assignment_by_name(&p));
    p.features |= SANDBOX_BIT(MODEL_MOUNT);
    assert_false(assignment_by_name(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = { T(a_folder_goes_as_a_descriptor), T(without_a_folder_nothing_but_the_size),
                                        T(a_door_goes_along), T(what_cannot_be_sent), T(who_is_made_for_its_model) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

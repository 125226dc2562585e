#include "assignment.h"

#include "sandbox/model_mount.h"
#include "sandbox/plan.h"
#include "sandbox/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_DESCRIPTORS 3

bool assignment_by_name(const struct sandbox_plan *plan)
{
    return SANDBOX_HAS(plan->features, ROOT) && !SANDBOX_HAS(plan->features, MODEL_MOUNT);
}

static int open_folder(const struct sandbox_plan *plan, const char *path, bool exec)
{
    if (SANDBOX_HAS(plan->features, MODEL_MOUNT))
        return sandbox_model_mount(path, exec);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Without a root of its own an instance finds code by its path. */
static bool code_by_descriptor(const struct sandbox_plan *plan, const struct assignment *a)
{
    return a->model && a->code && SANDBOX_HAS(plan->features, ROOT);
}

static bool send_message(int channel, const struct zygote_assignment *message, const int *fds, unsigned count)
{
    size_t size = count * sizeof(int);
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))];
    } control = { .align = { .cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec span = { .iov_base = (void *)message, .iov_len = sizeof(*message) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1 };

    if (size > 0) {
        memcpy(CMSG_DATA(&control.align), fds, size);
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(size);
    }
    return sendmsg(channel, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*message);
}

enum pl_code assignment_send(int channel, const struct sandbox_plan *plan, const struct assignment *a,
                             struct pl_err *err)
{
    struct zygote_assignment message = { .magic = ZYGOTE_MAGIC,
                                         .memory_size_mb = (uint32_t)a->memory_size_mb,
                                         .rlimit_mb = a->rlimit_mb,
                                         .has_model = a->model != NULL,
                                         .has_code = code_by_descriptor(plan, a),
                                         .has_door = a->door_fd >= 0 };
    pl_cleanup(pl_close_p) int model = message.has_model ? open_folder(plan, a->model, a->exec_model) : -1;
    int fds[MAX_DESCRIPTORS];
    unsigned count = 0;
    pl_cleanup(pl_close_p) int code = message.has_code ? open_folder(plan, a->code, a->exec_model) : -1;

    if ((message.has_model && model < 0) || (message.has_code && code < 0))
        return pl_fail_reason(err, PL_INTERNAL, "SPAWN_FAILED", NULL, "cannot open the folder of the %s: %s",
                              message.has_model && model < 0 ? "model" : "code", strerror(errno));
    if (message.has_model)
        fds[count++] = model;
    if (message.has_code)
        fds[count++] = code;
    if (message.has_door)
        fds[count++] = a->door_fd;
    if (!send_message(channel, &message, fds, count))
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "the new process went away: %s",
                              strerror(errno));
    return PL_OK;
}

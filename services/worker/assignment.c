#include "assignment.h"

#include "sandbox/model_mount.h"
#include "sandbox/plan.h"
#include "sandbox/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

bool assignment_by_name(const struct sandbox_plan *plan)
{
    return SANDBOX_HAS(plan->features, ROOT) && !SANDBOX_HAS(plan->features, MODEL_MOUNT);
}

static int open_model(const struct sandbox_plan *plan, const struct assignment *a)
{
    if (SANDBOX_HAS(plan->features, MODEL_MOUNT))
        return sandbox_model_mount(a->model, a->exec_model);
    return open(a->model, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool send_message(int channel, const struct zygote_assignment *message, int model)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec span = { .iov_base = (void *)message, .iov_len = sizeof(*message) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1 };

    if (model >= 0) {
        memcpy(CMSG_DATA(&control.align), &model, sizeof(model));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof(int));
    }
    return sendmsg(channel, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*message);
}

enum pl_code assignment_send(int channel, const struct sandbox_plan *plan, const struct assignment *a,
                             struct pl_err *err)
{
    struct zygote_assignment message = { .magic = ZYGOTE_MAGIC,
                                         .memory_size_mb = (uint32_t)a->memory_size_mb,
                                         .rlimit_mb = a->rlimit_mb,
                                         .has_model = a->model != NULL };
    pl_cleanup(pl_close_p) int model = a->model ? open_model(plan, a) : -1;

    if (a->model && model < 0)
        return pl_fail_reason(err, PL_INTERNAL, "SPAWN_FAILED", NULL, "cannot open the folder of the model: %s",
                              strerror(errno));
    if (!send_message(channel, &message, model))
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "the new process went away: %s",
                              strerror(errno));
    return PL_OK;
}

/* zygote - a process that has everything loaded and makes copies of itself, each in a sandbox of its own.
 *
 *     worker                               zygote                              instance
 *       | exec, descriptors 0..3, plan ----> |                                    .
 *       |                                    | loads its libraries                .
 *       |                                    | sandbox_zygote_serve():            .
 *       |                                    |   locks itself in, then waits      .
 *       | zygote_request + descriptors ----> | clone3 --------------------------> | sandbox_zygote_serve() returns its
 *       | <-- zygote_reply, pid, pidfd ----- |                                    | channel; it is blank: whatever may
 *       |                                    |                                    | be warmed is warmed now
 *       | zygote_assignment, model ------------- by the channel ----------------> | sandbox_zygote_assigned() returns
 *       | LOAD, INVOKE ... (frame/frame.h) ------------------------------------> | reads frames
 *
 * The instance is the *worker's* child (CLONE_PARENT): the worker watches, kills and reaps it, also when the zygote is
 * gone. A request may be answered long before the instance has a model: the worker keeps a few blank ones in stock.
 *
 * How a runtime uses this (C, or any language that can call a shared library: libpilotlight-sandbox.so):
 *
 *     1. The program is started with descriptor 0 = /dev/null, 1 and 2 = its log, 3 = the control socket, and the plan
 *        in its environment (plan.h). OMP_NUM_THREADS=1 is set. It imports what its instances will need.
 *        It must have one thread, must never have run an OpenMP region, and must not have loaded the RPC library.
 *     2. It calls sandbox_zygote_serve(). The call does not return in the zygote: that process leaves when the worker
 *        closes the control socket or dies. It returns once in every instance, with the channel's descriptor
 *        (always 3). There, descriptors 1 and 2 are the instance's own log, and all above 3 are closed.
 *     3. In the instance it may warm things up, but may not read anything untrusted yet. Then it calls
 *        sandbox_zygote_assigned(), which waits until the worker binds the instance to a model, and returns its memory
 *        size in MB. Now the sandbox is closed for good and the current directory is the model's folder (read-only);
 *        for SANDBOX_PYTHON and SANDBOX_HTTP it is also mounted at /opt/ml/model, code that did not come with it at
 *        /opt/ml/code, and /tmp is a private scratch folder.
 *     4. It reads LOAD from the channel, answers LOADED or FAILED, and so on. At end of file it exits.
 *
 * From Python: ctypes.PyDLL (it keeps the interpreter lock across the call), and PyOS_BeforeFork() before and
 * PyOS_AfterFork_Child() after sandbox_zygote_serve(). What fails ends the process with a line on its log that names
 * the step, so neither call returns an error.
 *
 * Threads: one.  Messages: SOCK_SEQPACKET, one struct each way, in the host's byte order: both ends are one build. */
#ifndef SANDBOX_ZYGOTE_H
#define SANDBOX_ZYGOTE_H

#include <stdint.h>

#define SANDBOX_API __attribute__((visibility("default")))

/* Both exit on failure; see above. */
SANDBOX_API int sandbox_zygote_serve(void);
SANDBOX_API int sandbox_zygote_assigned(void);
/* In a process of SANDBOX_UNPACK or SANDBOX_COMPILE: the one folder that it may write. */
SANDBOX_API const char *sandbox_work_folder(void);

/* ---- the messages ---- */

#define ZYGOTE_CONTROL_FD 3
#define ZYGOTE_MAGIC      0x5a474f54u
/* Exit code of an instance or zygote whose sandbox could not be closed; its log says which step. */
#define ZYGOTE_EXIT_SANDBOX 125

#define ZYGOTE_MAX_CGROUPS 3
#define ZYGOTE_MAX_FDS     (3 + ZYGOTE_MAX_CGROUPS)
#define ZYGOTE_MODEL_BYTES 128

/* Worker to zygote. Descriptors, in this order: the instance's channel (descriptor 3 there), its log (1 and 2),
 * 'extra_count' (0 or 1) that becomes descriptor 4, and 'cgroup_count' files cgroup.procs that the instance enters by
 * writing "0". */
struct zygote_request {
    uint32_t magic;
    uint32_t cgroup_count;
    uint32_t extra_count;
    /* Not 0: no cgroup limits its memory, so it limits itself from the start (RLIMIT_DATA). */
    uint32_t rlimit_mb;
    uint32_t file_limit_mb; /* the largest file it may write; 0 = what its profile says */
    uint32_t kind;          /* enum zygote_kind */
    uint64_t id;
    /* "" or the name of its folder below the plan's 'models': bound now instead of with the assignment. */
    char model[ZYGOTE_MODEL_BYTES];
    char code[ZYGOTE_MODEL_BYTES]; /* only with a model */
};

enum zygote_kind {
    ZYGOTE_INSTANCE,
    ZYGOTE_TEMPLATE, /* template.h; its extra descriptor is the socket by which it is asked for copies */
    ZYGOTE_COPY,     /* of a template; its extra descriptor is its scratch folder, a mount that is nowhere yet */
    ZYGOTE_KIND_COUNT
};

/* Zygote to worker; with the pidfd when 'error' is 0. */
struct zygote_reply {
    uint32_t magic;
    int32_t error; /* errno of clone3 */
    uint64_t id;
    int32_t pid; /* as the worker sees it */
    uint32_t zero;
};

/* Worker to instance, by the channel, in front of LOAD. Carries the model's folder as a descriptor (a mount of its own
 * when the plan has MODEL_MOUNT), unless the request named the model, and after it that of code from elsewhere. */
struct zygote_assignment {
    uint32_t magic;
    uint32_t memory_size_mb;
    uint32_t rlimit_mb; /* as above, now that its memory size is known */
    uint32_t has_model;
    uint32_t has_code;
    /* And a socket after those: the endpoint may use the network. The instance sends a socket by it that listens on
     * ZYGOTE_DOOR_PORT of its own loopback interface, before anything untrusted runs in it. */
    uint32_t has_door;
};

#define ZYGOTE_DOOR_PORT    3128
#define ZYGOTE_DOOR_BACKLOG 64

#endif

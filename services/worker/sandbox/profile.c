#include "profile.h"

#include <stddef.h>

#define MIB ((rlim_t)1 << 20)

/* An interpreter imports after the fork, too: its libraries, and the loader's, stay in sight. */
static const struct root_entry python_root[] = {
    { "/usr", ROOT_BIND },
    { "/lib", ROOT_LINK },
    { "/lib", ROOT_BIND },
    { "/lib64", ROOT_LINK },
    { "/lib64", ROOT_BIND },
    { "/bin", ROOT_LINK },
    { "/etc", ROOT_FOLDER },
    { "/etc/alternatives", ROOT_BIND },
    { "/etc/ld.so.cache", ROOT_BIND },
    { "/etc/localtime", ROOT_BIND },
    { "/etc/mime.types", ROOT_BIND },
    { "/etc/ssl", ROOT_FOLDER }, /* whom to believe, for those who may reach others */
    { "/etc/ssl/certs", ROOT_BIND },
    { "/etc/ssl/openssl.cnf", ROOT_BIND },
    { "/dev", ROOT_FOLDER },
    { "/dev/null", ROOT_DEVICE },
    { "/dev/zero", ROOT_DEVICE },
    { "/dev/full", ROOT_DEVICE },
    { "/dev/random", ROOT_DEVICE },
    { "/dev/urandom", ROOT_DEVICE },
    /* Where the C library has its semaphores, without which Python's multiprocessing has no lock, and joblib no pool of
     * threads: in the instance's own scratch folder, and within its limit. */
    { "/dev/shm", ROOT_OWN_LINK, "/tmp" },
    { "/opt", ROOT_FOLDER },
    { "/opt/ml", ROOT_FOLDER },
    { "/opt/ml/model", ROOT_FOLDER },
    { "/opt/ml/code", ROOT_FOLDER },
    { "/tmp", ROOT_FOLDER },
    { NULL, ROOT_FOLDER },
};

/* What the C library needs to find names, and the libraries that it loads for it. */
static const struct root_entry egress_root[] = {
    { "/usr", ROOT_BIND },
    { "/lib", ROOT_LINK },
    { "/lib", ROOT_BIND },
    { "/lib64", ROOT_LINK },
    { "/lib64", ROOT_BIND },
    { "/etc", ROOT_FOLDER },
    { "/etc/ld.so.cache", ROOT_BIND },
    { "/etc/resolv.conf", ROOT_BIND },
    { "/etc/nsswitch.conf", ROOT_BIND },
    { "/etc/host.conf", ROOT_BIND },
    { "/etc/gai.conf", ROOT_BIND },
    { "/etc/hosts", ROOT_BIND },
    { "/dev", ROOT_FOLDER },
    { "/dev/null", ROOT_DEVICE },
    { NULL, ROOT_FOLDER },
};

/* A process of the trees runtime needs no file at all but its model: what it is made of is loaded already. */
const struct profile sandbox_profiles[SANDBOX_PROFILE_COUNT] = {
    [SANDBOX_TREES] = { .filter = FILTER_BASE, .limit = { .processes = 1, .files = 64, .file_bytes = 0 } },
    [SANDBOX_PYTHON] = { .root = python_root,
                         .model_at = "/opt/ml/model",
                         .code_at = "/opt/ml/code",
                         .own_ids = true,
                         .exec_model = true,
                         .late_lock = true,
                         .templates = true,
                         .filter = FILTER_BASE | FILTER_THREADS | FILTER_CREATE | FILTER_WRITE | FILTER_EVENTS,
                         .scratch_mb = 512,
                         .limit = { .processes = 64, .files = 256, .file_bytes = 512 * MIB } },
    [SANDBOX_HTTP] = { .root = python_root,
                       .model_at = "/opt/ml/model",
                       .code_at = "/opt/ml/code",
                       .own_ids = true,
                       .loopback = true,
                       .exec_model = true,
                       .late_lock = true,
                       .filter = FILTER_BASE | FILTER_THREADS | FILTER_CREATE | FILTER_WRITE | FILTER_EVENTS |
                                 FILTER_PROGRAMS | FILTER_SOCKETS,
                       .scratch_mb = 512,
                       .limit = { .processes = 128, .files = 1024, .file_bytes = 512 * MIB } },
    [SANDBOX_UNPACK] = { .own_ids = true,
                         .filter = FILTER_BASE | FILTER_CREATE,
                         .limit = { .processes = 1, .files = 64, .file_bytes = RLIM_INFINITY } },
    [SANDBOX_COMPILE] = { .own_ids = true,
                          .filter = FILTER_BASE | FILTER_CREATE,
                          .limit = { .processes = 1, .files = 64, .file_bytes = RLIM_INFINITY } },
    [SANDBOX_EGRESS] = { .root = egress_root,
                         .filter = FILTER_BASE | FILTER_THREADS | FILTER_EVENTS | FILTER_SOCKETS,
                         .limit = { .processes = 32, .files = 4096, .file_bytes = 0 } },
};

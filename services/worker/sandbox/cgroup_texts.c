#include "sandbox/cgroup.h"

#include <stddef.h>

const struct cgroup_text cgroup_texts[] = {
    { CGROUP_MEMORY, "MEMORY", "memory",
      "an instance limits its own memory (RLIMIT_DATA): files and page tables do not count, and it is refused memory "
      "instead of killed" },
    { CGROUP_CPU, "CPU", "cpu", "an instance takes as much CPU as it can get, whatever its memory size" },
    { CGROUP_PIDS, "PIDS", "pids", "processes are limited by RLIMIT_NPROC only" },
    { 0, NULL, NULL, NULL },
};

/* template_check - may this process be copied? Looked at from outside, once its model is loaded.
 * Threads: any; reads two files of /proc. */
#ifndef WORKER_TEMPLATE_CHECK_H
#define WORKER_TEMPLATE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* False: 'why' says what stands against it. */
bool template_check(pid_t pid, char *why, size_t size);

/* ---- in parts, for tests ---- */

/* 'text' as /proc/PID/maps: NULL, or the first line of memory that copies would share and write to. */
const char *template_shared_line(const char *text);

#endif

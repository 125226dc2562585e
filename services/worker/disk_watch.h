/* disk_watch - what a tool has written below its folder, looked at while it runs: limits of the kernel are for one file,
 * and a tool that has been taken over may write as many as it likes.
 *
 * A look is a walk on a pool thread, soon after the beginning and then so often that looking takes a small part of the
 * time: what is written between two looks comes on top. The tool may neither remove nor rename files (FILTER_CREATE), so
 * that all it has written is there to be seen; what cannot be looked into counts as too much.
 * Threads: with the turn, but disk_watch_sum().  Memory: one allocation, which outlives its owner by one walk at most. */
#ifndef WORKER_DISK_WATCH_H
#define WORKER_DISK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct disk_watch;
struct loop;

/* 'full' is called at most once, and not after disk_watch_end(). */
struct disk_watch *disk_watch_begin(struct loop *l, const char *dir, int64_t max_bytes, int64_t max_entries,
                                    void (*full)(void *arg), void *arg);
void disk_watch_end(struct disk_watch *w); /* NULL is fine */

/* Bytes of disk that are taken below 'dir', and files, folders and links there. False: a part cannot be seen. */
bool disk_watch_sum(const char *dir, int64_t *out_bytes, int64_t *out_entries);

#endif

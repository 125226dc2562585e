/* A spool file with any content opens, takes a record, and gives that back after what it found. */
#include "spool.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    unsigned records;
    size_t last_len;
};

static volatile unsigned char sink; /* so that each byte is read */

static void note(void *arg, const void *bytes, size_t len)
{
    struct seen *s = arg;
    unsigned char sum = 0;
    for (size_t i = 0; i < len; i++)
        sum ^= ((const unsigned char *)bytes)[i];
    sink = sum;
    s->records++;
    s->last_len = len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen before = { 0 }, after = { 0 };
    struct spool *s;
    struct pl_err err;
    char path[64];
    int fd = memfd_create("spool", 0);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (spool_open(&s, path, 4096, note, &before, &err) == PL_OK) {
        assert(spool_append(s, "record", 6, &err) == PL_OK);
        spool_close(s);
        assert(spool_open(&s, path, 4096, note, &after, &err) == PL_OK);
        assert(after.records == before.records + 1 && after.last_len == 6);
        spool_close(s);
    }
    (void)close(fd);
    return 0;
}

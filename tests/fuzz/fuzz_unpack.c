/* Artifacts. Whatever the bytes are, nothing may appear beside the folder they are unpacked into. */
#include "unpack.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type;
    return at->level > 0 ? remove(path) : 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct unpack_limits limits = { .bytes = 1 << 20, .entries = 64, .ratio = 100 };
    char outside[] = "/tmp/pilotlight-fuzz-XXXXXX", inside[64];
    struct unpack_result result;
    struct pl_err err = { 0 };
    struct dirent **entries;
    int archive = memfd_create("archive", MFD_CLOEXEC), folder, count;

    assert(archive >= 0 && mkdtemp(outside));
    assert(size == 0 || write(archive, data, size) == (ssize_t)size);
    (void)snprintf(inside, sizeof(inside), "%s/in", outside);
    assert(mkdir(inside, 0755) == 0);
    folder = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert(folder >= 0);
    assert(lseek(archive, 0, SEEK_SET) == 0);
    if (unpack(archive, folder, &limits, &result, &err) == PL_OK)
        assert(result.bytes <= limits.bytes && result.files > 0 && result.files <= limits.entries);
    else
        assert(err.message[0]);
    close(folder);
    close(archive);
    count = scandir(outside, &entries, visible, NULL);
    assert(count == 1 && strcmp(entries[0]->d_name, "in") == 0);
    free(entries[0]);
    free(entries);
    (void)nftw(outside, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    (void)rmdir(outside);
    return 0;
}

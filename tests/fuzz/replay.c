/* Runs a fuzzer over folders of files, where there is no libFuzzer. */
#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned run_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(size ? size : 1); /* exactly: AddressSanitizer sees a read past the end */

    assert(f && bytes);
    assert(fread(bytes, 1, size, f) == size);
    fclose(f);
    (void)LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 1;
}

static unsigned run_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    assert(dir);
    while ((entry = readdir(dir))) {
        char name[4096];
        struct stat st;

        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
            count += run_file(name, (size_t)st.st_size);
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        count += run_folder(argv[i]);
    printf("%u inputs\n", count);
    return count == 0; /* a corpus that is not there would hide everything */
}

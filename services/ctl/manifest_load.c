#include "manifest_load.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdio.h>

enum ctl_exit manifest_load(struct manifest *m, const struct args *a, const char *command)
{
    size_t count = args_list(a, "file", NULL, 0);
    if (count == 0) {
        fprintf(stderr, "pilotlight %s: say which manifest: -f FILE, or -f - for standard input\n", command);
        return EXIT_USAGE;
    }
    pl_cleanup(pl_free_p) const char **files = pl_new0(count, sizeof(*files));
    args_list(a, "file", files, count);
    struct pl_err err;
    for (size_t i = 0; i < count; i++) {
        if (manifest_add_file(m, files[i], &err) != PL_OK)
            return exit_report_input(&err);
    }
    return EXIT_OK;
}

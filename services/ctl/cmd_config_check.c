#include "command.h"
#include "manifest_load.h"

enum ctl_exit cmd_config_check(const struct args *a)
{
    struct manifest m = { 0 };
    enum ctl_exit code = manifest_load(&m, a, "config check");
    if (code == EXIT_OK)
        printf("%zu document%s, all well formed\n", m.count, m.count == 1 ? "" : "s");
    manifest_done(&m);
    return code;
}

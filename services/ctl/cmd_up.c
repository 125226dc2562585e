#include "command.h"
#include "up.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

char *up_default_state(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state == '/')
        return pl_format("%s/pilotlight", state);
    return home && *home == '/' ? pl_format("%s/.local/state/pilotlight", home) : NULL;
}

enum ctl_exit cmd_up(const struct args *a)
{
    pl_cleanup(pl_free_p) char *fallback = up_default_state();
    size_t count = args_list(a, "set", NULL, 0);
    pl_cleanup(pl_free_p) const char **sets = pl_new0(count + 1, sizeof(*sets));
    args_list(a, "set", sets, count);
    struct up_options o = {
        .state = args_text(a, "state") ? args_text(a, "state") : fallback,
        .listen = args_text(a, "listen"),
        .port = (int)args_number(a, "port"),
        .sets = sets,
        .set_count = count,
        .foreground_logs = args_flag(a, "foreground-logs"),
        .start_timeout_ms = args_number(a, "start-timeout"),
    };
    if (!o.state || !*o.state) {
        fprintf(stderr, "pilotlight up: say where to keep state: --state DIR ($HOME is not set)\n");
        return EXIT_USAGE;
    }
    return up_run(&o);
}

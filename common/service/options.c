#include "private.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum options_mode mode;
    const char *help;
} modes[] = {
    { "--check-config", OPTIONS_CHECK, "say whether the configuration is right, and end" },
    { "--print-config", OPTIONS_PRINT, "print the configuration in force, as YAML with every key, and end" },
    { "--version", OPTIONS_VERSION, "print the version, and end" },
    { "--help", OPTIONS_HELP, "print this, and end" },
};

static bool find_mode(const char *name, enum options_mode *out)
{
    if (strcmp(name, "-h") == 0)
        name = "--help";
    for (size_t i = 0; i < PL_COUNT(modes); i++) {
        if (strcmp(name, modes[i].name) == 0) {
            *out = modes[i].mode;
            return true;
        }
    }
    return false;
}

enum pl_code options_parse(struct options *out, int argc, char **argv, struct pl_err *err)
{
    *out = (struct options){ .mode = OPTIONS_RUN };
    for (int i = 1; i < argc; i++) {
        enum options_mode mode;
        if (strncmp(argv[i], "--config=", 9) == 0) {
            out->config = argv[i] + 9;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (++i == argc)
                return pl_fail(err, PL_INVALID, "--config", "--config needs a file (try --help)");
            out->config = argv[i];
        } else if (find_mode(argv[i], &mode)) {
            /* What tells something wins over what does something, whatever their order. */
            out->mode = mode > out->mode ? mode : out->mode;
        } else {
            return pl_fail(err, PL_INVALID, "options", "unknown %s '%s' (try --help)",
                           argv[i][0] == '-' ? "option" : "argument", argv[i]);
        }
    }
    return PL_OK;
}

char *options_env_prefix(const struct service_def *def)
{
    char *prefix = pl_format("PILOTLIGHT_%s", def->name);
    for (char *c = prefix; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return prefix;
}

void options_help(const struct service_def *def)
{
    pl_cleanup(pl_free_p) char *prefix = options_env_prefix(def);
    printf("pilotlight-%s: %s\n\nUsage: pilotlight-%s [OPTION]...\n\n", def->name, def->summary, def->name);
    printf("  %-16s %s\n", "--config FILE", "read settings from this YAML file");
    for (size_t i = 0; i < PL_COUNT(modes); i++)
        printf("  %-16s %s\n", modes[i].name, modes[i].help);
    printf("\nEach setting can be given as an environment variable too, which wins over the file:\n"
           "%s_ and the key in upper case with '_' for '.', such as %s_LOG_LEVEL=debug.\n\n"
           "SIGTERM or SIGINT: refuse new calls, let those in flight end, then exit; a second signal ends at once.\n"
           "Exit codes: 0 stopped as asked, 1 failed at run time, 2 bad usage or configuration.\n",
           prefix, prefix);
}

/* config - a service's settings as one typed table.
 *
 * A row says where the value lives, what it may be and what it is for; reading YAML, environment overrides, checking,
 * help text and printing all come from it, so they cannot disagree. Keys are paths, "tls.cert_file"; in YAML they are
 * nested mappings. An unknown key fails with line, column and the nearest known key; a bad value names the row's
 * limits.
 *
 *     struct router_config { char *listen; int64_t keep_alive_ms; bool pre_warm; };
 *     static const struct config_row rows[] = {
 *         CONFIG_STRING(struct router_config, listen, "listen", "127.0.0.1:8081", "address of the gRPC server"),
 *         CONFIG_DURATION(struct router_config, keep_alive_ms, "keep_alive", "10m", 0, 7 * CONFIG_DAY_MS, "..."),
 *         { 0 },
 *     };
 *
 * Environment: PILOTLIGHT_<SERVICE>_<KEY>, upper case, dots as underscores: PILOTLIGHT_ROUTER_KEEP_ALIVE=5m.
 * Order: default, file, environment.  Memory: strings and lists are owned by the target struct; config_done() frees
 * them. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum config_type {
    CONFIG_TYPE_STRING,   /* char *                                                       */
    CONFIG_TYPE_INT,      /* int64_t, min..max                                            */
    CONFIG_TYPE_BOOL,     /* bool; true, false, yes, no, on, off                          */
    CONFIG_TYPE_DOUBLE,   /* double, min..max                                             */
    CONFIG_TYPE_DURATION, /* int64_t milliseconds, min..max; "10s", "5m"                  */
    CONFIG_TYPE_BYTES,    /* int64_t, min..max; "64MiB"                                   */
    CONFIG_TYPE_ENUM,     /* int, the index in 'choices' (NULL-terminated)                */
    CONFIG_TYPE_STRINGS,  /* struct config_strings; a YAML sequence; default is comma-separated */
    CONFIG_TYPE_MAP,      /* struct config_strings of "key=value"; a YAML mapping         */
};

struct config_strings {
    char **items;
    size_t count;
};

struct config_row {
    const char *key;
    enum config_type type;
    size_t offset;
    const char *fallback; /* as it would stand in YAML; NULL = empty string or list */
    double min, max;
    const char *const *choices;
    bool secret; /* printed as "***" */
    const char *help;
};

#define CONFIG_SECOND_MS 1000.0
#define CONFIG_DAY_MS    86400000.0

#define CONFIG_STRING(S, member, key, fallback, help)                                                                  \
    {                                                                                                                  \
        key, CONFIG_TYPE_STRING, offsetof(S, member), fallback, 0, 0, NULL, false, help                                \
    }
#define CONFIG_SECRET(S, member, key, help)                                                                            \
    {                                                                                                                  \
        key, CONFIG_TYPE_STRING, offsetof(S, member), NULL, 0, 0, NULL, true, help                                     \
    }
#define CONFIG_INT(S, member, key, fallback, min, max, help)                                                           \
    {                                                                                                                  \
        key, CONFIG_TYPE_INT, offsetof(S, member), fallback, min, max, NULL, false, help                               \
    }
#define CONFIG_BOOL(S, member, key, fallback, help)                                                                    \
    {                                                                                                                  \
        key, CONFIG_TYPE_BOOL, offsetof(S, member), fallback, 0, 0, NULL, false, help                                  \
    }
#define CONFIG_DOUBLE(S, member, key, fallback, min, max, help)                                                        \
    {                                                                                                                  \
        key, CONFIG_TYPE_DOUBLE, offsetof(S, member), fallback, min, max, NULL, false, help                            \
    }
#define CONFIG_DURATION(S, member, key, fallback, min_ms, max_ms, help)                                                \
    {                                                                                                                  \
        key, CONFIG_TYPE_DURATION, offsetof(S, member), fallback, min_ms, max_ms, NULL, false, help                    \
    }
#define CONFIG_BYTES(S, member, key, fallback, min, max, help)                                                         \
    {                                                                                                                  \
        key, CONFIG_TYPE_BYTES, offsetof(S, member), fallback, min, max, NULL, false, help                             \
    }
#define CONFIG_ENUM(S, member, key, fallback, choices, help)                                                           \
    {                                                                                                                  \
        key, CONFIG_TYPE_ENUM, offsetof(S, member), fallback, 0, 0, choices, false, help                               \
    }
#define CONFIG_STRINGS(S, member, key, fallback, help)                                                                 \
    {                                                                                                                  \
        key, CONFIG_TYPE_STRINGS, offsetof(S, member), fallback, 0, 0, NULL, false, help                               \
    }
#define CONFIG_MAP(S, member, key, help)                                                                               \
    {                                                                                                                  \
        key, CONFIG_TYPE_MAP, offsetof(S, member), NULL, 0, 0, NULL, false, help                                       \
    }

/* Fills '*target' (zeroed or not; nothing of it is freed) from the defaults, then from 'text' (YAML; NULL = none), then
 * from the environment (env_prefix "PILOTLIGHT_ROUTER"; NULL = none). 'source' names the file in messages. On failure
 * the target is config_done() already. */
PL_MUST_CHECK enum pl_code config_load(const struct config_row *rows, void *target, const char *source,
                                       const char *text, size_t text_len, const char *env_prefix, struct pl_err *err);
/* Reads 'path' (at most 1 MiB) and calls config_load(); path NULL = defaults and environment only. */
PL_MUST_CHECK enum pl_code config_load_file(const struct config_row *rows, void *target, const char *path,
                                            const char *env_prefix, struct pl_err *err);
/* YAML with every key, its help and limits as comments; parses again to the same values (secrets excepted). */
void config_print(const struct config_row *rows, const void *target, struct pl_buf *out);
void config_done(const struct config_row *rows, void *target);

#endif

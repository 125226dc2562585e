/* The parts of common/config, in the order of one load:
 *
 *   config.c   defaults -> document.c (the file) -> environment; and config_done()
 *   document.c walks YAML events down the table's paths; knows keys and places, no types
 *   value.c    one text -> one member; knows types and limits, no YAML
 *   print.c    the way back */
#ifndef CONFIG_PRIVATE_H
#define CONFIG_PRIVATE_H

#include "config/config.h"

/* What a secret is printed as; read from a file it means "not set here", so that a print can be parsed again. */
#define CONFIG_MASK "***"

static inline void *config_member(const struct config_row *row, void *target)
{
    return (char *)target + row->offset;
}

static inline bool config_is_list(const struct config_row *row)
{
    return row->type == CONFIG_TYPE_STRINGS || row->type == CONFIG_TYPE_MAP;
}

/* Sets the member to what 'text' (NUL-terminated, 'len' bytes) says. Lists: comma-separated, replaces what was there.
 * PL_INVALID names key, value and limits. */
PL_MUST_CHECK enum pl_code config_set(const struct config_row *row, void *target, const char *text, size_t len,
                                      struct pl_err *err);
/* Lists: appends one item. */
PL_MUST_CHECK enum pl_code config_append(const struct config_row *row, void *target, const char *text, size_t len,
                                         struct pl_err *err);
/* Maps: appends "key=value". */
PL_MUST_CHECK enum pl_code config_append_pair(const struct config_row *row, void *target, const char *key,
                                              size_t key_len, const char *value, size_t value_len, struct pl_err *err);
void config_clear(const struct config_row *row, void *target);

/* The member as it would stand in YAML; not for lists. */
void config_value_text(const struct config_row *row, const void *target, struct pl_buf *out);
/* What values the row takes, for people: "1 to 200", "text or json"; nothing for free text. */
void config_limits_text(const struct config_row *row, struct pl_buf *out);
/* A double-quoted YAML scalar. */
void config_quote(struct pl_buf *out, const char *s);

PL_MUST_CHECK enum pl_code config_document(const struct config_row *rows, void *target, const char *source,
                                           const char *text, size_t text_len, struct pl_err *err);

#endif

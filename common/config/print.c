/* print - a config as YAML that says what each key is for and parses again to the same values. */
#include "private.h"

#include <stdio.h>
#include <string.h>

#define INDENT 2

/* ---- quoting ---- */

/* Length and value of the character at 's', which is valid UTF-8. */
static size_t decode(const unsigned char *s, uint32_t *out)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    *out = s[0] & mask[n];
    for (size_t i = 1; i < n; i++)
        *out = *out << 6 | (s[i] & 0x3f);
    return n;
}

/* What YAML 1.1 lets stand in a stream as it is, less the line breaks and the byte order mark. */
static bool printable(uint32_t c)
{
    return (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xd7ff && c != 0x2028 && c != 0x2029) ||
           (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) || c >= 0x10000;
}

void config_quote(struct pl_buf *out, const char *s)
{
    pl_buf_addc(out, '"');
    while (*s) {
        uint32_t c;
        size_t n = decode((const unsigned char *)s, &c);
        if (c == '"' || c == '\\')
            pl_buf_addf(out, "\\%c", (int)c);
        else if (c == '\n')
            pl_buf_adds(out, "\\n");
        else if (!printable(c))
            pl_buf_addf(out, "\\u%04x", c);
        else
            pl_buf_add(out, s, n);
        s += n;
    }
    pl_buf_addc(out, '"');
}

/* ---- rows ---- */

static void add_comment(const struct config_row *row, int indent, struct pl_buf *out)
{
    pl_cleanup(pl_buf_done) struct pl_buf limits = { 0 };
    config_limits_text(row, &limits);
    pl_buf_addf(out, "%*s# %s", indent, "", row->help);
    if (limits.data)
        pl_buf_addf(out, " (%s)", limits.data);
    pl_buf_addc(out, '\n');
}

static void add_list(const struct config_row *row, const void *target, int indent, struct pl_buf *out)
{
    const struct config_strings *list = (const void *)((const char *)target + row->offset);
    bool map = row->type == CONFIG_TYPE_MAP;
    if (list->count == 0)
        pl_buf_adds(out, map ? " {}" : " []");
    pl_buf_addc(out, '\n');
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];
        pl_buf_addf(out, "%*s%s", indent + INDENT, "", map ? "" : "- ");
        if (map) {
            size_t key_len = strcspn(item, "=");
            char key[512];
            snprintf(key, sizeof(key), "%.*s", (int)key_len, item);
            config_quote(out, key);
            pl_buf_adds(out, ": ");
            item += key_len + 1;
        }
        config_quote(out, item);
        pl_buf_addc(out, '\n');
    }
}

static void add_row(const struct config_row *row, const char *name, const void *target, int indent, struct pl_buf *out)
{
    add_comment(row, indent, out);
    pl_buf_addf(out, "%*s%s:", indent, "", name);
    if (config_is_list(row)) {
        add_list(row, target, indent, out);
        return;
    }
    pl_buf_addc(out, ' ');
    config_value_text(row, target, out);
    pl_buf_addc(out, '\n');
}

/* ---- groups ---- */

/* Whether 'key' lies in the group whose path, with its last dot, is the first 'n' bytes of 'path'. */
static bool within(const char *key, const char *path, size_t n)
{
    return strncmp(key, path, n) == 0;
}

static bool printed_before(const struct config_row *rows, const struct config_row *row, size_t n)
{
    for (const struct config_row *r = rows; r < row; r++)
        if (within(r->key, row->key, n))
            return true;
    return false;
}

/* All rows under the first 'prefix_len' bytes of 'path'. A group stands where its first row does. */
static void add_group(const struct config_row *rows, const void *target, const char *path, size_t prefix_len,
                      int indent, struct pl_buf *out)
{
    for (const struct config_row *row = rows; row->key; row++) {
        if (!within(row->key, path, prefix_len))
            continue;
        const char *name = row->key + prefix_len;
        size_t group_len = strcspn(name, ".");
        if (name[group_len] == '\0') {
            add_row(row, name, target, indent, out);
        } else if (!printed_before(rows, row, prefix_len + group_len + 1)) {
            pl_buf_addf(out, "%*s%.*s:\n", indent, "", (int)group_len, name);
            add_group(rows, target, row->key, prefix_len + group_len + 1, indent + INDENT, out);
        }
    }
}

void config_print(const struct config_row *rows, const void *target, struct pl_buf *out)
{
    add_group(rows, target, "", 0, 0, out);
}

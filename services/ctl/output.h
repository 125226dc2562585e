/* output - what commands print: tables for people, JSON and YAML for programs.
 *
 * Text from a server may hold anything: control characters are shown as '?' in tables, so that they cannot steer a
 * terminal. */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_NAME };

extern const char *const output_formats[]; /* by enum output_format, NULL-terminated: for ARGS_CHOICE */
enum output_format output_format_of(const char *text);

/* ---- tables: columns as wide as their widest cell, two spaces between; a title that starts with '>' is a column of
 * numbers, aligned to the right. Rows are copied. ---- */
struct table;
struct table *table_new(const char *const *titles); /* NULL-terminated; titles must outlive the table */
void table_free(struct table *t);
/* The next cell of the current row; the row is complete when it has as many cells as there are titles. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, FILE *out);

/* ---- JSON and YAML; members in the order in which they were set ---- */
void output_json(const json_t *value, FILE *out);
void output_yaml(const json_t *value, FILE *out);
/* Either of the two. */
void output_value(const json_t *value, enum output_format format, FILE *out);

/* ---- units for people; each returns 'out' ---- */
char *output_age(int64_t ms, char out[24]);      /* "350ms", "12s", "5m12s", "2h03m", "4d05h" */
char *output_micros(int64_t us, char out[24]);   /* "310us", "4.21ms", "1.350s"               */
char *output_bytes(int64_t bytes, char out[24]); /* "512 B", "12.3 KiB", "4.0 MiB"            */
/* How long ago a wall time was, as output_age(); "-" for 0. */
char *output_since(int64_t unix_ms, char out[24]);

#endif

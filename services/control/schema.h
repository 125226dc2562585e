/* schema - the numbered steps of schema/, in the program. */
#ifndef CONTROL_SCHEMA_H
#define CONTROL_SCHEMA_H

/* schema_steps[n] brings a database from version n to n + 1; NUL-terminated SQL. */
extern const char *const schema_steps[];
extern const int schema_step_count;

#endif

/* get_rows - how each resource is shown as a row of a table: titles and cells by kind. */
#ifndef CTL_GET_ROWS_H
#define CTL_GET_ROWS_H

#include "kinds.h"

struct table;

extern const char *const get_titles[KIND_COUNT][10];
void get_row(struct table *t, const struct kind *k, const ProtobufCMessage *m);

extern const char *const get_instance_titles[], *const get_variant_titles[], *const get_host_titles[];
extern const char *const get_cold_titles[];
/* Of pilotlight.v1.Instance, VariantStats and Host. */
void get_instance_row(struct table *t, const ProtobufCMessage *m);
void get_variant_row(struct table *t, const ProtobufCMessage *m);
void get_host_row(struct table *t, const ProtobufCMessage *m);
/* Of pilotlight.v1.VariantStats that has cold_start_times. */
void get_cold_row(struct table *t, const ProtobufCMessage *m);

/* "IN_SERVICE"; never NULL. */
const char *get_status_text(int endpoint_status);
/* "idle"; never NULL. */
const char *get_state_text(int instance_state);

#endif

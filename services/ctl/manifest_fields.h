/* manifest_fields - one YAML document becomes one message, by a table of keys per kind. */
#ifndef CTL_MANIFEST_FIELDS_H
#define CTL_MANIFEST_FIELDS_H

#include "base/err.h"
#include "kinds.h"

#include <yaml.h>

/* What the readers of one document share. */
struct manifest_reader {
    yaml_document_t *document;
    const char *source; /* for messages */
    const char *folder; /* of relative artifacts */
};

/* PL_INVALID at 'node' (NULL: at the document's start): "FILE:LINE:COLUMN: " and the sentence. */
enum pl_code manifest_fail(const struct manifest_reader *r, const yaml_node_t *node, const char *field,
                           struct pl_err *err, const char *fmt, ...) PL_PRINTF(5, 6);

/* Reads a whole document: kind, name, tags, annotations, spec. '*out_message' is the caller's to free. */
PL_MUST_CHECK enum pl_code manifest_read(const struct manifest_reader *r, yaml_node_t *root,
                                         const struct kind **out_kind, ProtobufCMessage **out_message,
                                         struct pl_err *err);

/* The keys that 'spec' of a kind (or, with kind NULL, one of its variants) may hold, with their help; for `help
 * manifest`. */
void manifest_fields_print(FILE *out);

#endif

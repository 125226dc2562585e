/* manifest - resources written down as YAML documents.
 *
 *     kind: Model                       kind: EndpointConfig                kind: Endpoint
 *     name: fraud                       name: fraud-1                       name: fraud
 *     spec:                             spec:                               spec:
 *       artifact_uri: model.tar.gz        variants:                           endpoint_config_name: fraud-1
 *                                         - name: main
 *                                           model_name: fraud
 *                                           memory_size_mb: 1024
 *                                           max_concurrency: 10
 *                                           keep_alive: 10s
 *
 * A file may hold many documents, separated by "---"; each may have 'tags' and 'annotations' (mappings of text). What a
 * key may hold is one table per kind (manifest_fields.c); anything else fails with file, line, column and the nearest
 * known key. Limits of values belong to the server. An artifact_uri without a scheme is a path relative to the
 * manifest's folder (standard input: the working directory) and becomes a file:// URI. Memory: the manifest owns its
 * items. */
#ifndef CTL_MANIFEST_H
#define CTL_MANIFEST_H

#include "base/err.h"
#include "kinds.h"

#include <stddef.h>

#define MANIFEST_MAX_BYTES ((size_t)4 << 20) /* of one file */
#define MANIFEST_MAX_ITEMS 1000              /* of one command */

struct manifest_item {
    const struct kind *kind;
    ProtobufCMessage
        *message; /* kind->resource: pilotlight.v1.Model, EndpointConfig or Endpoint; only what the manifest said */
    char *source; /* file name as given, "-" for standard input */
    size_t line;  /* where the document starts, from 1 */
};

struct manifest {
    struct manifest_item *items; /* by kind in the order of application, else as read */
    size_t count;
};

const char *manifest_name(const struct manifest_item *item);

/* Adds the documents of 'path' ("-": standard input). On failure nothing is added.
 * PL_NOT_FOUND: no such file; PL_INVALID: what is wrong with it and where, also the same resource twice. */
PL_MUST_CHECK enum pl_code manifest_add_file(struct manifest *m, const char *path, struct pl_err *err);
/* As above from memory; 'folder' is what relative artifacts are relative to. */
PL_MUST_CHECK enum pl_code manifest_add_text(struct manifest *m, const char *source, const char *folder,
                                             const char *text, size_t len, struct pl_err *err);
void manifest_done(struct manifest *m);

#endif

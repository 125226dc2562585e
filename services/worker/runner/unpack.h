/* unpack - an artifact to a directory: `pilotlight-runner unpack`, with the archive as descriptor 3 and an empty
 * directory as 4.
 *
 * Takes tar, gzipped tar and zip, told by content; any other file is a bare model and becomes "xgboost-model". The
 * archive is hostile until proven otherwise: nothing is ever written through a link, links that lead out of the tree
 * are refused, so are absolute paths, "..", devices, fifos and sockets; owners and setuid bits are dropped; entries,
 * bytes, and bytes per byte of archive are limited. After a refusal the directory holds rubbish: the caller removes it.
 */
#ifndef RUNNER_UNPACK_H
#define RUNNER_UNPACK_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdint.h>

struct unpack_limits {
    uint64_t bytes;   /* of all files together                                                   */
    uint64_t entries; /* of every kind                                                           */
    uint64_t ratio;   /* unpacked bytes per byte of archive; not looked at below UNPACK_RATIO_FLOOR */
};

/* A small archive may be very regular and honest. */
#define UNPACK_RATIO_FLOOR ((uint64_t)4 << 20)

struct unpack_result {
    uint64_t files, bytes;
};

/* PL_PRECONDITION: refused, with a reason of one line. PL_INTERNAL: the directory cannot be written. */
PL_MUST_CHECK enum pl_code unpack(int archive_fd, int dir_fd, const struct unpack_limits *limits,
                                  struct unpack_result *out, struct pl_err *err);

/* The subcommand: reads its options, calls unpack(), prints. Returns the program's exit code: 0, 1 (cannot write), 2
 * (usage), 3. */
int unpack_main(int argc, char **argv);

#endif

/* compile_model - `pilotlight-runner compile`: the model in the folder that is descriptor 3 becomes compiled forests in
 * the folder that is descriptor 4, which is to be FOREST_FOLDER (layout/forest_folder.h).
 *
 * Each model file is loaded by XGBoost's library, which then says what it read, in UBJSON; that is compiled, and the
 * forest is compared with the library on rows that reach its leaves (compiler/prove.h). So all formats that the library
 * reads are compiled alike. What a newer XGBoost saved and this library cannot read, or would misread, is read by our
 * own reader (compiler/source.h); there is nothing to compare it with, and the forest says so.
 *
 * A file that cannot be compiled is no failure: the reason is written instead, and instances go through the library. */
#ifndef RUNNER_COMPILE_MODEL_H
#define RUNNER_COMPILE_MODEL_H

#include "base/cleanup.h"
#include "base/err.h"

struct forest_image;
struct model_files;

/* File number 'which' as a forest. Any error: why there is none, for people. */
PL_MUST_CHECK enum pl_code compile_model_file(const struct model_files *files, unsigned which, struct forest_image *out,
                                              struct pl_err *err);

/* The subcommand. Prints a line for each file; returns the program's exit code: 0, or 1 when it could not read the
 * folder or write the results. */
int compile_main(int argc, char **argv);

#endif

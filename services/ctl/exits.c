#include "exits.h"

#include "base/err.h"

#include <string.h>

static const struct {
    enum ctl_exit code;
    const char *meaning;
} meanings[] = {
    { EXIT_OK, "done; `invoke`: every call was answered" },
    { EXIT_FAILED,
      "failed in a way that has no code of its own; the message says how; `doctor`: part of the isolation is missing" },
    { EXIT_USAGE, "wrong command, option or manifest; nothing was sent" },
    { EXIT_NOT_FOUND, "no such model, endpoint config, endpoint or variant" },
    { EXIT_THROTTLED, "refused by a concurrency limit (MAX_CONCURRENCY); repeat it later" },
    { EXIT_MODEL, "the model answered with an error, or its instance died" },
    { EXIT_UNAVAILABLE, "the server cannot be reached or cannot serve now, or the time was over" },
};

enum ctl_exit exit_for(const struct pl_err *err)
{
    if (err->code == PL_MODEL || !strcmp(err->reason, "MODEL_ERROR") || !strcmp(err->reason, "INSTANCE_DIED"))
        return EXIT_MODEL;
    if (err->code == PL_EXHAUSTED) /* other limits are not over by themselves */
        return strcmp(err->reason, "MAX_CONCURRENCY") && strcmp(err->reason, "MAX_CALLS_IN_FLIGHT") ? EXIT_FAILED
                                                                                                    : EXIT_THROTTLED;
    if (err->code == PL_NOT_FOUND)
        return EXIT_NOT_FOUND;
    if (err->code == PL_UNAVAILABLE || err->code == PL_DEADLINE)
        return EXIT_UNAVAILABLE;
    return err->code == PL_OK ? EXIT_OK : EXIT_FAILED;
}

const char *exit_label(const struct pl_err *err)
{
    return *err->reason ? err->reason : pl_code_name(err->code);
}

enum ctl_exit exit_report(FILE *out, const struct pl_err *err)
{
    return exit_report_text(out, err, err->message);
}

enum ctl_exit exit_report_text(FILE *out, const struct pl_err *err, const char *text)
{
    fprintf(out, "pilotlight: %s\n  code: %s", text, pl_code_name(err->code));
    if (*err->reason && strcmp(err->reason, pl_code_name(err->code)))
        fprintf(out, "  reason: %s", err->reason);
    if (*err->field)
        fprintf(out, "  field: %s", err->field);
    if (err->retry_after_ms)
        fprintf(out, "  retry after: %ums", err->retry_after_ms);
    if (err->model_status)
        fprintf(out, "  model status: %d", err->model_status);
    fputc('\n', out);
    return exit_for(err);
}

enum ctl_exit exit_report_input(const struct pl_err *err)
{
    fprintf(stderr, "pilotlight: %s\n", err->message);
    return err->code == PL_INVALID || err->code == PL_NOT_FOUND ? EXIT_USAGE : EXIT_FAILED;
}

void exit_codes_print(FILE *out)
{
    for (size_t i = 0; i < PL_COUNT(meanings); i++)
        fprintf(out, "  %d  %s\n", meanings[i].code, meanings[i].meaning);
}

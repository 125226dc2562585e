#include "settings.h"

#include "base/text.h"
#include "frame/frame.h"
#include "refuse.h"

#include <string.h>
#include <strings.h>

#define DEFAULT_MAX_BODY ((size_t)6 << 20) /* the payload limit of serverless inference */

void settings_init(struct settings *s)
{
    *s = (struct settings){ .max_body_bytes = DEFAULT_MAX_BODY, .ensemble = true, .answer = ANSWER_CSV };
}

static enum pl_code set_max_body(struct settings *s, const char *value, struct pl_err *err)
{
    uint64_t bytes;
    struct refuse_quote q = refuse_quote(value, strlen(value));

    if (!pl_parse_u64(value, UINT64_MAX, &bytes) || bytes == 0)
        return refuse(err, STATUS_FAILED, "MAX_CONTENT_LENGTH is '%s': it must be a number of bytes above 0", q.text);
    s->max_body_bytes = bytes < FRAME_MAX_PAYLOAD ? (size_t)bytes : FRAME_MAX_PAYLOAD;
    return PL_OK;
}

static enum pl_code set_ensemble(struct settings *s, const char *value, struct pl_err *err)
{
    (void)err;
    s->ensemble = strcasecmp(value, "true") == 0;
    return PL_OK;
}

static enum pl_code set_answer(struct settings *s, const char *value, struct pl_err *err)
{
    if (answer_kind_parse(value, strlen(value), ANSWER_CSV, &s->answer, err) == PL_OK && s->answer != ANSWER_TENSOR)
        return PL_OK;
    return refuse(err, STATUS_FAILED,
                  "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT must be text/csv, application/json or application/jsonlines");
}

static enum pl_code set_output(struct settings *s, const char *value, struct pl_err *err)
{
    return selection_parse(&s->selection, value, err);
}

enum pl_code settings_set(struct settings *s, const char *name, const char *value, struct pl_err *err)
{
    static const struct {
        const char *name;
        enum pl_code (*set)(struct settings *s, const char *value, struct pl_err *err);
    } known[] = {
        { "MAX_CONTENT_LENGTH", set_max_body },
        { "SAGEMAKER_INFERENCE_ENSEMBLE", set_ensemble },
        { "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", set_answer },
        { "SAGEMAKER_INFERENCE_OUTPUT", set_output },
    };

    for (size_t i = 0; i < PL_COUNT(known); i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].set(s, value, err);
    return PL_OK;
}

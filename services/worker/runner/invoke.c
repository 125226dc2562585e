/* The road of one request: how large -> what it is -> what is wanted -> rows -> predictions -> text. */
#include "invoke.h"

#include "base/buf.h"
#include "decode.h"
#include "encode.h"
#include "model.h"
#include "refuse.h"
#include "request.h"
#include "settings.h"
#include "tensor.h"

/* No format needs fewer bytes for a value: "0\n" is "0.0\n", but a class of 0 as a label is two. */
#define MIN_BYTES_PER_VALUE 2

static enum pl_code check_size(const struct settings *settings, const struct request *request, struct pl_err *err)
{
    if (request->body_len <= settings->max_body_bytes)
        return PL_OK;
    return refuse(err, STATUS_TOO_LARGE, "the body has %zu bytes, but the limit is %zu (MAX_CONTENT_LENGTH)",
                  request->body_len, settings->max_body_bytes);
}

static enum pl_code body_kind(const struct request *request, enum body_kind *out, struct pl_err *err)
{
    if (body_kind_parse(request->content_type, request->content_type_len, out, err) != PL_OK)
        return PL_MODEL;
    if (*out == BODY_UNSTATED)
        *out = body_kind_guess(request->body, request->body_len);
    return PL_OK;
}

/* A tensor is answered by a tensor, text by text. */
static enum pl_code choose_answer(const struct settings *settings, const struct request *request, enum body_kind body,
                                  enum answer_kind *out, struct pl_err *err)
{
    enum answer_kind otherwise = body == BODY_TENSOR ? ANSWER_TENSOR : settings->answer;

    if (answer_kind_parse(request->accept, request->accept_len, otherwise, out, err) != PL_OK)
        return PL_MODEL;
    if ((*out == ANSWER_TENSOR) != (body == BODY_TENSOR))
        return refuse(err, STATUS_NOT_ACCEPTABLE, "accept '%s' does not go with this content type",
                      answer_kind_type(*out));
    if (*out == ANSWER_JSONLINES && settings->selection.count == 0)
        return refuse(err, STATUS_FAILED,
                      "Unable to encode predictions: application/jsonlines needs SAGEMAKER_INFERENCE_OUTPUT to be set");
    return PL_OK;
}

static enum pl_code decode(enum body_kind kind, const struct request *request, struct matrix *rows,
                           struct tensor_request *tensor, struct pl_err *err)
{
    matrix_clear(rows, kind == BODY_LIBSVM);
    switch (kind) {
    case BODY_CSV:
        return decode_csv(rows, request->body, request->body_len, err);
    case BODY_LIBSVM:
        return decode_libsvm(rows, request->body, request->body_len, err);
    case BODY_JSON:
        return decode_json(rows, request->body, request->body_len, err);
    case BODY_RECORDIO:
        return decode_recordio(rows, request->body, request->body_len, err);
    case BODY_TENSOR:
        return decode_tensor(rows, tensor, request->body, request->body_len, err);
    case BODY_UNSTATED:
    case BODY_KIND_COUNT:
        break;
    }
    return refuse(err, STATUS_UNSUPPORTED, "content type is not supported");
}

static void encode(enum answer_kind kind, const struct settings *settings, const struct tensor_request *tensor,
                   const struct prediction *p, struct pl_buf *body)
{
    const struct selection *s = &settings->selection;

    if (kind == ANSWER_TENSOR)
        encode_tensor(body, tensor, p);
    else if (kind == ANSWER_JSONLINES)
        encode_selected_jsonlines(body, s, p);
    else if (kind == ANSWER_JSON)
        s->count ? encode_selected_json(body, s, p) : encode_json(body, p);
    else
        s->count ? encode_selected_csv(body, s, p) : encode_csv(body, p);
}

static enum pl_code too_long(size_t rows, struct pl_err *err)
{
    return refuse(err, STATUS_FAILED, "the answer for %zu rows is larger than %zu bytes: send fewer rows at once", rows,
                  INVOKE_MAX_ANSWER);
}

enum pl_code invoke(struct model *model, const struct settings *settings, const struct request *request,
                    struct matrix *rows, struct pl_buf *body, struct answer *out, struct pl_err *err)
{
    struct tensor_request tensor = { 0 };
    struct prediction p;
    enum body_kind kind;
    enum answer_kind wanted;
    size_t start = body->len;

    if (request->body_len == 0) {
        *out = (struct answer){ .status = STATUS_NO_CONTENT, .content_type = answer_kind_type(settings->answer) };
        return PL_OK;
    }
    if (check_size(settings, request, err) != PL_OK || body_kind(request, &kind, err) != PL_OK ||
        choose_answer(settings, request, kind, &wanted, err) != PL_OK ||
        decode(kind, request, rows, &tensor, err) != PL_OK)
        return PL_MODEL;
    if (rows->rows > INVOKE_MAX_ANSWER / MIN_BYTES_PER_VALUE / model_facts(model)->outputs)
        return too_long(rows->rows, err);
    if (model_predict(model, rows, &p, err) != PL_OK)
        return PL_MODEL;
    encode(wanted, settings, &tensor, &p, body);
    if (body->failed || body->len - start > INVOKE_MAX_ANSWER)
        return too_long(p.rows, err);
    *out = (struct answer){ .status = STATUS_OK, .content_type = answer_kind_type(wanted) };
    return PL_OK;
}

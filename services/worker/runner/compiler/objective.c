#include "objective.h"

#include "compiler/source.h"

#include <math.h>
#include <string.h>

static float identity(float base_score)
{
    return base_score;
}

static float logit(float base_score)
{
    return -logf(1.0f / base_score - 1.0f);
}

/* Since 3.2 XGBoost keeps away from 0 and 1 first. */
static float bounded_logit(float base_score)
{
    const float margin = 1e-6f;

    return logit(fminf(fmaxf(base_score, margin), 1.0f - margin));
}

static float logarithm(float base_score)
{
    return logf(base_score);
}

static const struct {
    const char *name;
    struct objective is;
} objectives[] = {
    { "reg:squarederror", { FOREST_IDENTITY, identity } },
    { "reg:linear", { FOREST_IDENTITY, identity } },
    { "reg:squaredlogerror", { FOREST_IDENTITY, identity } },
    { "reg:pseudohubererror", { FOREST_IDENTITY, identity } },
    { "reg:absoluteerror", { FOREST_IDENTITY, identity } },
    { "reg:quantileerror", { FOREST_IDENTITY, identity } },  /* since 3.4 sorted, see below */
    { "reg:expectileerror", { FOREST_IDENTITY, identity } }, /* of one expectile */
    { "reg:logistic", { FOREST_SIGMOID, logit } },
    { "reg:gamma", { FOREST_EXP, logarithm } },
    { "reg:tweedie", { FOREST_EXP, logarithm } },
    { "count:poisson", { FOREST_EXP, logarithm } },
    { "binary:logistic", { FOREST_SIGMOID, logit } },
    { "binary:logitraw", { FOREST_IDENTITY, logit } }, /* since 1.4 its base score is a margin, see below */
    { "binary:hinge", { FOREST_SIGN, identity } },
    { "multi:softmax", { FOREST_LARGEST, identity } },
    { "multi:softprob", { FOREST_SOFTMAX, identity } },
    { "rank:pairwise", { FOREST_IDENTITY, identity } },
    { "rank:ndcg", { FOREST_IDENTITY, identity } },
    { "rank:map", { FOREST_IDENTITY, identity } },
    { "survival:cox", { FOREST_EXP, logarithm } },
    { "survival:aft", { FOREST_EXP, logarithm } },
};

/* Where versions differ. */
static void adjust(const struct source *s, struct objective *o)
{
    if (strcmp(s->objective, "binary:logitraw") == 0 && source_since(s, 1, 4))
        o->margin = identity;
    if (strcmp(s->objective, "reg:quantileerror") == 0 && source_since(s, 3, 4))
        o->transform = FOREST_ASCENDING;
    if (o->margin == logit && source_since(s, 3, 2))
        o->margin = bounded_logit;
}

enum pl_code objective_of(const struct source *s, uint32_t groups, struct objective *out, struct pl_err *err)
{
    if (strcmp(s->objective, "reg:expectileerror") == 0 && groups > 1)
        return pl_fail(err, PL_UNIMPLEMENTED, NULL, "objective reg:expectileerror is not supported with %u expectiles",
                       groups);
    for (size_t i = 0; i < PL_COUNT(objectives); i++) {
        if (strcmp(objectives[i].name, s->objective) != 0)
            continue;
        *out = objectives[i].is;
        adjust(s, out);
        return PL_OK;
    }
    return pl_fail(err, PL_UNIMPLEMENTED, NULL, "objective %s is not supported", s->objective);
}

#include "sandbox/plan.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

const struct sandbox_feature_text sandbox_feature_texts[SANDBOX_FEATURE_COUNT] = {
#define SANDBOX_FEATURE_ROW(id, name, lost, advice) { #id, name, lost, advice },
    SANDBOX_FEATURES(SANDBOX_FEATURE_ROW)
#undef SANDBOX_FEATURE_ROW
};

static const char *const profile_names[SANDBOX_PROFILE_COUNT] = {
    [SANDBOX_TREES] = "trees",   [SANDBOX_PYTHON] = "python",   [SANDBOX_HTTP] = "http",
    [SANDBOX_UNPACK] = "unpack", [SANDBOX_COMPILE] = "compile", [SANDBOX_EGRESS] = "egress",
};

const char *sandbox_profile_name(enum sandbox_profile p)
{
    return profile_names[p];
}

bool sandbox_plan_write(const struct sandbox_plan *p, char *out, size_t size)
{
    int n = snprintf(out, size, "profile=%s\nfeatures=%u\nuid=%u\nmodels=%s\nwork=%s\n", profile_names[p->profile],
                     p->features, p->uid, p->models, p->work);
    bool good = n >= 0 && (size_t)n < size && !strchr(p->models, '\n') && !strchr(p->work, '\n');

    for (unsigned i = 0; i < SANDBOX_MAX_FOLDERS && good && p->folders[i][0]; i++) {
        size_t used = (size_t)n;
        int more = snprintf(out + used, size - used, "folder=%s\n", p->folders[i]);

        good = more >= 0 && (size_t)more < size - used && !strchr(p->folders[i], '\n');
        n += more;
    }
    return good;
}

static bool read_number(const char *value, unsigned max, unsigned *out)
{
    uint64_t n;

    if (!pl_parse_u64(value, max, &n))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool read_path(const char *value, char out[PATH_MAX])
{
    if (strlen(value) >= PATH_MAX)
        return false;
    (void)snprintf(out, PATH_MAX, "%s", value);
    return true;
}

static bool read_folder(struct sandbox_plan *p, const char *value)
{
    for (unsigned i = 0; i < SANDBOX_MAX_FOLDERS; i++)
        if (!p->folders[i][0])
            return value[0] == '/' && read_path(value, p->folders[i]);
    return false;
}

static bool read_profile(const char *value, enum sandbox_profile *out)
{
    for (unsigned i = 0; i < SANDBOX_PROFILE_COUNT; i++)
        if (strcmp(value, profile_names[i]) == 0) {
            *out = (enum sandbox_profile)i;
            return true;
        }
    return false;
}

static bool read_value(struct sandbox_plan *p, const char *key, const char *value)
{
    if (strcmp(key, "profile") == 0)
        return read_profile(value, &p->profile);
    if (strcmp(key, "features") == 0)
        return read_number(value, SANDBOX_ALL, &p->features);
    if (strcmp(key, "uid") == 0)
        return read_number(value, UINT32_MAX - 1, &p->uid);
    if (strcmp(key, "models") == 0)
        return read_path(value, p->models);
    if (strcmp(key, "work") == 0)
        return read_path(value, p->work);
    if (strcmp(key, "folder") == 0)
        return read_folder(p, value);
    return false;
}

enum pl_code sandbox_plan_read(struct sandbox_plan *out, const char *text, struct pl_err *err)
{
    char line[PATH_MAX + 32];
    bool profile_seen = false;

    *out = (struct sandbox_plan){ 0 };
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        char *equals;

        if (n >= sizeof(line))
            return pl_fail(err, PL_INVALID, NULL, "sandbox plan: a line is longer than %zu bytes", sizeof(line) - 1);
        memcpy(line, text, n);
        line[n] = '\0';
        text += n + (text[n] == '\n');
        equals = strchr(line, '=');
        if (!equals)
            return pl_fail(err, PL_INVALID, NULL, "sandbox plan: '%.64s' is not key=value", line);
        *equals = '\0';
        if (!read_value(out, line, equals + 1))
            return pl_fail(err, PL_INVALID, NULL, "sandbox plan: '%.64s' cannot be '%.64s'", line, equals + 1);
        profile_seen = profile_seen || strcmp(line, "profile") == 0;
    }
    if (!profile_seen)
        return pl_fail(err, PL_INVALID, NULL, "sandbox plan: no profile: is %s set?", SANDBOX_PLAN_VARIABLE);
    return PL_OK;
}

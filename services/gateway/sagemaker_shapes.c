#include "sagemaker_shapes.h"

#include "shape_literals.h"

#include <ctype.h>
#include <string.h>

/* ---- patterns, by hand: they come from outside, and regex libraries have bad cases ---- */

static bool alnum(char c)
{
    return isalnum((unsigned char)c) && !((unsigned char)c & 0x80);
}

static bool all_of(const char *s, const char *others)
{
    for (; *s; s++)
        if (!alnum(*s) && !strchr(others, *s))
            return false;
    return true;
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && alnum(s[0]) && alnum(s[n - 1]) && all_of(s, "-");
}

static bool is_name_part(const char *s)
{
    return all_of(s, "-");
}

static bool has_no_space(const char *s)
{
    for (; *s; s++)
        if (isspace((unsigned char)*s))
            return false;
    return true;
}

/* "arn:aws[a-z-]*:" and then 'service'; returns what follows it. */
static const char *behind_arn(const char *s, const char *service)
{
    if (strncmp(s, "arn:aws", 7) != 0)
        return NULL;
    s += 7;
    while ((*s >= 'a' && *s <= 'z') || *s == '-')
        s++;
    size_t n = strlen(service);
    return strncmp(s, service, n) == 0 ? s + n : NULL;
}

static bool is_role(const char *s)
{
    const char *p = behind_arn(s, ":iam::");
    if (!p || strspn(p, "0123456789") != 12 || strncmp(p + 12, ":role", 5) != 0)
        return false;
    return p[17] && all_of(p + 17, "+=,.@-_/");
}

static bool is_resource(const char *s)
{
    const char *p = behind_arn(s, ":sagemaker:");
    if (!p)
        return false;
    p += strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return *p == ':' && strspn(p + 1, "0123456789") == 12 && p[13] == ':' && p[14];
}

/* https://, s3://, and our own file:// for what lies on the worker host. */
static bool is_data_url(const char *s)
{
    static const char *const schemes[] = { "s3://", "https://", "file:///" };
    for (size_t i = 0; i < PL_COUNT(schemes); i++)
        if (strncmp(s, schemes[i], strlen(schemes[i])) == 0 && s[strlen(schemes[i])] && s[strlen(schemes[i])] != '/')
            return true;
    return false;
}

static bool is_environment_key(const char *s)
{
    return !isdigit((unsigned char)*s) && all_of(s, "_");
}

static bool is_tag_text(const char *s)
{
    for (; *s; s++) /* letters and separators of all scripts: control knows them */
        if (!((unsigned char)*s & 0x80) && !alnum(*s) && !strchr(" _.:/=+-@", *s))
            return false;
    return true;
}

static bool is_group_or_subnet(const char *s)
{
    return all_of(s, "-");
}

/* "ml.", a family, ".", a size: the lists of those that clients know differ by their age. */
static bool is_instance_type(const char *s)
{
    static const char part[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t family = strncmp(s, "ml.", 3) == 0 ? strspn(s + 3, part) : 0;
    const char *size = s + 3 + family;
    return family > 0 && size[0] == '.' && size[1] && size[1 + strspn(size + 1, part)] == '\0';
}

/* An ARN of a model package, or its name, with or without "/version". */
static bool is_package(const char *s)
{
    const char *p = behind_arn(s, ":sagemaker:");
    if (p) {
        p = strchr(p, '/');
        s = p ? p + 1 : "";
    }
    size_t n = strcspn(s, "/");
    const char *version = s[n] ? s + n + 1 : "1";
    for (size_t i = 0; i < n; i++)
        if (!alnum(s[i]) && s[i] != '-')
            return false;
    return n > 0 && n <= 63 && alnum(s[0]) && alnum(s[n - 1]) && *version &&
           version[strspn(version, "0123456789")] == '\0' && strlen(version) <= 5;
}

static bool is_not_blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] != '\0';
}

/* ---- simple shapes ---- */

#define PATTERN(lo, hi, text, fn)                                                                                      \
    {                                                                                                                  \
        .type = SHAPE_STRING, .min = (lo), .max = (hi), .pattern = (text), .matches = (fn)                             \
    }
#define ONE_OF(...)                                                                                                    \
    {                                                                                                                  \
        .type = SHAPE_STRING, .values = (const char *const[])                                                          \
        {                                                                                                              \
            __VA_ARGS__, NULL                                                                                          \
        }                                                                                                              \
    }
#define INTEGER(lo, hi)                                                                                                \
    {                                                                                                                  \
        .type = SHAPE_INTEGER, .min = (lo), .max = (hi)                                                                \
    }
#define ANY(name)                                                                                                      \
    {                                                                                                                  \
        name, &any, false                                                                                              \
    }

#define NAME_PATTERN "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"

static const struct shape any = { .type = SHAPE_ANY };
static const struct shape boolean = { .type = SHAPE_BOOL };
static const struct shape moment = { .type = SHAPE_TIME };
static const struct shape name = PATTERN(0, 63, NAME_PATTERN, is_name);
static const struct shape role =
    PATTERN(20, 2048, "arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+", is_role);
static const struct shape image = PATTERN(0, 255, "[\\S]+", has_no_space);
static const struct shape data_url = PATTERN(0, 1024, "(https|s3)://([^/]+)/?(.*)", is_data_url);
static const struct shape environment_key = PATTERN(0, 1024, "[a-zA-Z_][a-zA-Z0-9_]*", is_environment_key);
static const struct shape environment_value = STRING(0, 1024);
static const struct shape environment = {
    .type = SHAPE_MAP, .max = 100, .key = &environment_key, .element = &environment_value
};
static const struct shape key_id = STRING(0, 2048);
static const struct shape tag_key = PATTERN(1, 128, "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)", is_tag_text);
static const struct shape tag_value = PATTERN(0, 256, "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)", is_tag_text);
static const struct shape tag = OBJECT({ "Key", &tag_key, true }, { "Value", &tag_value, true });
static const struct shape tags = LIST(0, 50, tag);
static const struct shape resource =
    PATTERN(0, 256, "arn:aws[a-z\\-]*:sagemaker:[a-z0-9\\-]*:[0-9]{12}:.+", is_resource);
static const struct shape token = STRING(0, 8192);
static const struct shape results = INTEGER(1, 100);
static const struct shape tag_results = INTEGER(50, 0);
static const struct shape name_part = PATTERN(0, 63, "[a-zA-Z0-9\\-]+", is_name_part);
static const struct shape sort_order = ONE_OF("Ascending", "Descending");

/* ---- models ---- */

static const struct shape access_mode = ONE_OF("Platform", "Vpc");
static const struct shape credentials_provider = STRING(1, 2048);
static const struct shape repository_auth = OBJECT({ "RepositoryCredentialsProviderArn", &credentials_provider, true });
static const struct shape image_config =
    OBJECT({ "RepositoryAccessMode", &access_mode, true }, { "RepositoryAuthConfig", &repository_auth, false });
static const struct shape container_mode = ONE_OF("SingleModel", "MultiModel");
static const struct shape cache_setting = ONE_OF("Enabled", "Disabled");
static const struct shape multi_model = OBJECT({ "ModelCacheSetting", &cache_setting, false });
static const struct shape data_type = ONE_OF("S3Prefix", "S3Object");
static const struct shape compression = ONE_OF("None", "Gzip");
static const struct shape s3_source =
    OBJECT({ "S3Uri", &data_url, true }, { "S3DataType", &data_type, true }, { "CompressionType", &compression, true },
           ANY("ModelAccessConfig"), ANY("HubAccessConfig"), ANY("ManifestS3Uri"), ANY("ETag"), ANY("ManifestEtag"));
static const struct shape model_source = OBJECT({ "S3DataSource", &s3_source, false });
static const struct shape more_sources = LIST(0, 5, any);
static const struct shape package_name =
    PATTERN(1, 176,
            "(arn:aws[a-z\\-]*:sagemaker:[a-z0-9\\-]*:[0-9]{12}:[a-z\\-]*\\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})"
            "(?<!-)(\\/[0-9]{1,5})?$",
            is_package);
static const struct shape specification_name = PATTERN(1, 63, NAME_PATTERN, is_name);
static const struct shape hostname = PATTERN(0, 63, NAME_PATTERN, is_name);
static const struct shape container =
    OBJECT({ "Image", &image, false }, { "ModelDataUrl", &data_url, false }, { "Environment", &environment, false },
           { "ContainerHostname", &hostname, false }, { "Mode", &container_mode, false },
           { "ImageConfig", &image_config, false }, { "ModelPackageName", &package_name, false },
           { "InferenceSpecificationName", &specification_name, false }, { "MultiModelConfig", &multi_model, false },
           { "ModelDataSource", &model_source, false }, { "AdditionalModelDataSources", &more_sources, false },
           ANY("ContainerMetricsConfig"));
static const struct shape containers = LIST(0, 15, container);
static const struct shape execution_mode = ONE_OF("Serial", "Direct");
static const struct shape execution = OBJECT({ "Mode", &execution_mode, true });
static const struct shape group_id = PATTERN(0, 32, "[-0-9a-zA-Z]+", is_group_or_subnet);
static const struct shape groups = LIST(1, 5, group_id), subnets = LIST(1, 16, group_id);
static const struct shape vpc = OBJECT({ "SecurityGroupIds", &groups, true }, { "Subnets", &subnets, true });

const struct shape shape_create_model = OBJECT(
    { "ModelName", &name, true }, { "PrimaryContainer", &container, false }, { "Containers", &containers, false },
    { "InferenceExecutionConfig", &execution, false }, { "ExecutionRoleArn", &role, false }, { "Tags", &tags, false },
    { "VpcConfig", &vpc, false }, { "EnableNetworkIsolation", &boolean, false });
const struct shape shape_describe_model = OBJECT({ "ModelName", &name, true });

static const struct shape model_sort = ONE_OF("Name", "CreationTime");
#define LIST_MEMBERS                                                                                                   \
    { "SortOrder", &sort_order, false }, { "NextToken", &token, false }, { "MaxResults", &results, false },            \
        { "NameContains", &name_part, false }, { "CreationTimeBefore", &moment, false },                               \
    {                                                                                                                  \
        "CreationTimeAfter", &moment, false                                                                            \
    }
const struct shape shape_list_models = OBJECT({ "SortBy", &model_sort, false }, LIST_MEMBERS);

/* ---- endpoint configs ---- */

static const struct shape memory = { .type = SHAPE_INTEGER, .min = 1024, .max = 6144, .soft = true };
static const struct shape concurrency = { .type = SHAPE_INTEGER, .min = 1, .max = 200, .soft = true };
/* Control also has none, 0, which nobody can ask for here. */
static const struct shape provisioned = { .type = SHAPE_INTEGER, .min = 1, .max = 200, .soft_max = true };
static const struct shape serverless =
    OBJECT({ "MemorySizeInMB", &memory, true }, { "MaxConcurrency", &concurrency, true },
           { "ProvisionedConcurrency", &provisioned, false });
static const struct shape weight = { .type = SHAPE_NUMBER };
static const struct shape instance_count = INTEGER(1, 1000000);
static const struct shape desired_count = INTEGER(0, 1000000);
static const struct shape instance_type = PATTERN(1, 63, "ml\\.[a-z0-9\\-]+\\.[a-z0-9\\-]+", is_instance_type);
static const struct shape accelerator = STRING(1, 63);
static const struct shape volume = INTEGER(1, 512);
static const struct shape timeout = INTEGER(60, 3600);
static const struct shape destination = PATTERN(0, 512, "(https|s3)://([^/])/?(.*)", is_data_url);
static const struct shape core_dump =
    OBJECT({ "DestinationS3Uri", &destination, true }, { "KmsKeyId", &key_id, false });
static const struct shape variant =
    OBJECT({ "VariantName", &name, true }, { "ModelName", &name, false }, { "ServerlessConfig", &serverless, false },
           { "InitialVariantWeight", &weight, false }, { "InitialInstanceCount", &instance_count, false },
           { "InstanceType", &instance_type, false }, { "AcceleratorType", &accelerator, false },
           { "VolumeSizeInGB", &volume, false }, { "ModelDataDownloadTimeoutInSeconds", &timeout, false },
           { "ContainerStartupHealthCheckTimeoutInSeconds", &timeout, false }, { "CoreDumpConfig", &core_dump, false },
           { "EnableSSMAccess", &boolean, false }, ANY("ManagedInstanceScaling"), ANY("RoutingConfig"),
           ANY("InferenceAmiVersion"), ANY("InstancePools"), ANY("CapacityReservationConfig"));
static const struct shape variants = LIST(1, 10, variant);

const struct shape shape_create_endpoint_config = OBJECT(
    { "EndpointConfigName", &name, true }, { "ProductionVariants", &variants, true }, { "Tags", &tags, false },
    { "KmsKeyId", &key_id, false }, ANY("DataCaptureConfig"), ANY("AsyncInferenceConfig"), ANY("ExplainerConfig"),
    { "ShadowProductionVariants", &variants, false }, { "ExecutionRoleArn", &role, false },
    { "VpcConfig", &vpc, false }, { "EnableNetworkIsolation", &boolean, false }, ANY("MetricsConfig"));
const struct shape shape_describe_endpoint_config = OBJECT({ "EndpointConfigName", &name, true });
const struct shape shape_list_endpoint_configs = OBJECT({ "SortBy", &model_sort, false }, LIST_MEMBERS);

/* ---- endpoints ---- */

static const struct shape routing_type = ONE_OF("ALL_AT_ONCE", "CANARY", "LINEAR");
static const struct shape size_type = ONE_OF("INSTANCE_COUNT", "CAPACITY_PERCENT");
static const struct shape size_value = INTEGER(1, 0);
static const struct shape capacity_size = OBJECT({ "Type", &size_type, true }, { "Value", &size_value, true });
static const struct shape up_to_an_hour = INTEGER(0, 3600), execution_timeout = INTEGER(600, 28800);
static const struct shape routing =
    OBJECT({ "Type", &routing_type, true }, { "WaitIntervalInSeconds", &up_to_an_hour, true },
           { "CanarySize", &capacity_size, false }, { "LinearStepSize", &capacity_size, false });
static const struct shape blue_green =
    OBJECT({ "TrafficRoutingConfiguration", &routing, true }, { "TerminationWaitInSeconds", &up_to_an_hour, false },
           { "MaximumExecutionTimeoutInSeconds", &execution_timeout, false });
static const struct shape rolling =
    OBJECT({ "MaximumBatchSize", &capacity_size, true }, { "WaitIntervalInSeconds", &up_to_an_hour, true },
           { "MaximumExecutionTimeoutInSeconds", &execution_timeout, false },
           { "RollbackMaximumBatchSize", &capacity_size, false });
static const struct shape alarm_name = PATTERN(1, 255, "(?!\\s*$).+", is_not_blank);
static const struct shape alarm = OBJECT({ "AlarmName", &alarm_name, false });
static const struct shape alarms = LIST(1, 10, alarm);
static const struct shape rollback = OBJECT({ "Alarms", &alarms, false });
static const struct shape deployment =
    OBJECT({ "BlueGreenUpdatePolicy", &blue_green, false }, { "RollingUpdatePolicy", &rolling, false },
           { "AutoRollbackConfiguration", &rollback, false });

const struct shape shape_create_endpoint =
    OBJECT({ "EndpointName", &name, true }, { "EndpointConfigName", &name, true }, { "Tags", &tags, false },
           { "DeploymentConfig", &deployment, false });
const struct shape shape_describe_endpoint = OBJECT({ "EndpointName", &name, true });

static const struct shape endpoint_sort = ONE_OF("Name", "CreationTime", "Status");
static const struct shape endpoint_status =
    ONE_OF("OutOfService", "Creating", "Updating", "SystemUpdating", "RollingBack", "InService", "Deleting", "Failed",
           "UpdateRollbackFailed");
const struct shape shape_list_endpoints =
    OBJECT({ "SortBy", &endpoint_sort, false }, LIST_MEMBERS, { "LastModifiedTimeBefore", &moment, false },
           { "LastModifiedTimeAfter", &moment, false }, { "StatusEquals", &endpoint_status, false });

static const struct shape property_type = ONE_OF("DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig");
static const struct shape property = OBJECT({ "VariantPropertyType", &property_type, true });
static const struct shape properties = LIST(0, 3, property);
const struct shape shape_update_endpoint = OBJECT(
    { "EndpointName", &name, true }, { "EndpointConfigName", &name, true },
    { "RetainAllVariantProperties", &boolean, false }, { "ExcludeRetainedVariantProperties", &properties, false },
    { "DeploymentConfig", &deployment, false }, { "RetainDeploymentConfig", &boolean, false });

static const struct shape serverless_update =
    OBJECT({ "MaxConcurrency", &concurrency, false }, { "ProvisionedConcurrency", &provisioned, false });
static const struct shape weight_and_capacity =
    OBJECT({ "VariantName", &name, true }, { "DesiredWeight", &weight, false },
           { "DesiredInstanceCount", &desired_count, false }, { "ServerlessUpdateConfig", &serverless_update, false });
static const struct shape weights_and_capacities = LIST(1, 0, weight_and_capacity);
const struct shape shape_update_weights =
    OBJECT({ "EndpointName", &name, true }, { "DesiredWeightsAndCapacities", &weights_and_capacities, true });

/* ---- tags ---- */

static const struct shape tag_keys = LIST(1, 50, tag_key);
const struct shape shape_add_tags = OBJECT({ "ResourceArn", &resource, true }, { "Tags", &tags, true });
const struct shape shape_list_tags =
    OBJECT({ "ResourceArn", &resource, true }, { "NextToken", &token, false }, { "MaxResults", &tag_results, false });
const struct shape shape_delete_tags = OBJECT({ "ResourceArn", &resource, true }, { "TagKeys", &tag_keys, true });

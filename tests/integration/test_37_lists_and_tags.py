"""What SageMaker's lists show, in which order, on which pages, and what tags may be; with boto3 of Debian."""
import datetime

import pytest

from aws import Aws, serverless
from suite import wait_until
from test_13_sagemaker import arn, refused


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def model(aws):
    aws.create_model("a-model", "s3://b/k")
    return "a-model"


# ---- lists ----

def test_lists_pages_and_filters(aws):
    names = [f"list-{i:02}" for i in range(23)]
    for n in names:
        aws.create_model(n, "s3://b/k")
    list_models = aws.sagemaker.list_models
    page = list_models(NameContains="LIST-")
    assert [m["ModelName"] for m in page["Models"]] == names[:-11:-1]  # newest first, ten
    assert page["Models"][0]["ModelArn"] == arn("model", names[-1])
    pages = list(aws.sagemaker.get_paginator("list_models").paginate(NameContains="list-", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 5}))
    assert [len(p["Models"]) for p in pages] == [5, 5, 5, 5, 3] and [m["ModelName"] for p in pages for m in p["Models"]] == names
    refused(list_models, "ValidationException", "NextToken", NameContains="other", NextToken=page["NextToken"])
    refused(list_models, "ValidationException", "NextToken", NextToken="nonsense")
    refused(list_models, "ValidationException", "at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100", MaxResults=101)
    refused(list_models, "ValidationException", "[Name, CreationTime]", SortBy="Status")
    refused(list_models, "ValidationException", "[Ascending, Descending]", SortOrder="Up")
    refused(list_models, "ValidationException", "at 'nameContains'", NameContains="a_b")
    created = aws.sagemaker.describe_model(ModelName=names[10])["CreationTime"]
    status, out, _ = aws.target("ListModels", {"NameContains": "list-", "SortOrder": "Ascending", "CreationTimeAfter": created.timestamp(), "MaxResults": 100})
    assert [m["ModelName"] for m in out["Models"]] == names[10:]  # at or after
    status, out, _ = aws.target("ListModels", {"NameContains": "list-", "SortOrder": "Ascending", "CreationTimeBefore": created.timestamp(), "MaxResults": 100})
    assert [m["ModelName"] for m in out["Models"]] == names[:10]  # before


LISTS = {"list_endpoint_configs": ("EndpointConfigs", "EndpointConfigName"), "list_endpoints": ("Endpoints", "EndpointName")}


@pytest.fixture(scope="module")
def twelve(aws):
    """Twelve configs, and endpoints of them that fail at once."""
    aws.create_model("twelve", "file:///nowhere/model.tar.gz")
    names = [f"twelve-{i:02}" for i in range(12)]
    for n in names:
        aws.sagemaker.create_endpoint_config(EndpointConfigName=n, ProductionVariants=[serverless("twelve", concurrency=1)])
        aws.sagemaker.create_endpoint(EndpointName=n, EndpointConfigName=n)
    wait_until(lambda: len(aws.sagemaker.list_endpoints(NameContains="twelve-", StatusEquals="Failed", MaxResults=100)["Endpoints"]) == 12, "all have failed")
    return names


@pytest.mark.parametrize("lister", LISTS)
def test_order_pages_and_tokens(aws, twelve, lister):
    member, key = LISTS[lister]
    call = getattr(aws.sagemaker, lister)

    def names(**arguments):
        return [e[key] for e in call(NameContains="twelve-", **arguments)[member]]

    assert names() == twelve[:-11:-1]  # newest first, ten
    assert names(SortOrder="Ascending") == twelve[:10] and names(SortBy="Name") == twelve[:-11:-1]
    assert names(SortBy="Name", SortOrder="Ascending", MaxResults=100) == twelve and names(MaxResults=1) == twelve[-1:]
    pages = list(aws.sagemaker.get_paginator(lister).paginate(NameContains="TWELVE-", SortBy="Name", PaginationConfig={"PageSize": 5}))
    assert [[e[key] for e in p[member]] for p in pages] == [twelve[:-6:-1], twelve[-6:-11:-1], twelve[1::-1]]
    given = {"NameContains": "twelve-", "SortBy": "Name", "SortOrder": "Ascending"}
    token = call(**given, MaxResults=5)["NextToken"]
    assert names(SortBy="Name", SortOrder="Ascending", MaxResults=3, NextToken=token) == twelve[5:8]  # another size is fine
    for change in ({"SortBy": "CreationTime"}, {"SortOrder": "Descending"}, {"NameContains": "twelve"}, {"CreationTimeAfter": datetime.datetime(2020, 1, 1)}):
        refused(call, "ValidationException", "NextToken is not one of a list with the same filters", **{**given, **change}, NextToken=token)
    refused(aws.sagemaker.list_models, "ValidationException", "NextToken", **given, NextToken=token)
    status, out, _ = aws.target("".join(part.capitalize() for part in lister.split("_")), {"MaxResults": 0})
    assert (status, out["__type"]) == (400, "ValidationException") and "at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1" in out["message"]
    refused(call, "ValidationException", "at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100", MaxResults=101)


def test_times_of_lists(aws, twelve):
    """After is at or after, before is before; a time when nothing was yet is a time, too."""
    sixth = aws.sagemaker.describe_endpoint(EndpointName=twelve[5])
    config = aws.sagemaker.describe_endpoint_config(EndpointConfigName=twelve[5])
    for operation, member, key, field, moment in (("ListEndpoints", "Endpoints", "EndpointName", "LastModifiedTime", sixth["LastModifiedTime"]),
                                                  ("ListEndpoints", "Endpoints", "EndpointName", "CreationTime", sixth["CreationTime"]),
                                                  ("ListEndpointConfigs", "EndpointConfigs", "EndpointConfigName", "CreationTime", config["CreationTime"])):
        def listed(**filters):
            status, out, _ = aws.target(operation, {"NameContains": "twelve-", "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 100, **filters})
            assert status == 200, out
            return [e[key] for e in out[member]]

        after, before, at = f"{field}After", f"{field}Before", moment.timestamp()
        assert sorted(listed(**{after: at}) + listed(**{before: at})) == twelve and twelve[5] in listed(**{after: at})
        assert listed(**{after: at, before: at}) == [] and listed(**{after: at, before: at + 0.001})[:1] == [twelve[5]]
        for long_ago in (0, -1e9, "1960-01-01T00:00:00Z"):
            assert listed(**{before: long_ago}) == [] and listed(**{after: long_ago}) == twelve


def test_lists_of_configs_and_endpoints(aws, artifacts, name):
    aws.deploy(name, artifacts.model()[0])
    (config,) = aws.sagemaker.list_endpoint_configs(NameContains=name)["EndpointConfigs"]
    assert config["EndpointConfigArn"] == arn("endpoint-config", name)
    (endpoint,) = aws.sagemaker.list_endpoints(NameContains=name, StatusEquals="InService", SortBy="Status")["Endpoints"]
    assert endpoint["EndpointArn"] == arn("endpoint", name) and endpoint["EndpointStatus"] == "InService"
    past = datetime.datetime(2020, 1, 1)
    assert aws.sagemaker.list_endpoints(NameContains=name, LastModifiedTimeBefore=past)["Endpoints"] == []
    assert len(aws.sagemaker.list_endpoints(NameContains=name, LastModifiedTimeAfter=past, CreationTimeAfter=past)["Endpoints"]) == 1
    for status in ("Failed", "OutOfService", "SystemUpdating"):
        assert aws.sagemaker.list_endpoints(NameContains=name, StatusEquals=status)["Endpoints"] == []
    refused(aws.sagemaker.list_endpoints, "ValidationException", "at 'statusEquals'", StatusEquals="Fine")
    assert [e["EndpointName"] for p in aws.sagemaker.get_paginator("list_endpoints").paginate(NameContains=name) for e in p["Endpoints"]] == [name]


# ---- tags ----

def test_tags(aws, model):
    resource = arn("model", model)
    tags = aws.sagemaker.add_tags(ResourceArn=resource, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])["Tags"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    aws.sagemaker.add_tags(ResourceArn=resource, Tags=[{"Key": "a", "Value": "2"}])
    assert {t["Key"]: t["Value"] for p in aws.sagemaker.get_paginator("list_tags").paginate(ResourceArn=resource) for t in p["Tags"]} == {"a": "2", "b": ""}
    assert aws.sagemaker.delete_tags(ResourceArn=resource, TagKeys=["a", "nothing"])["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert aws.sagemaker.list_tags(ResourceArn=resource)["Tags"] == [{"Key": "b", "Value": ""}]
    refused(aws.sagemaker.add_tags, "ValidationException", "50", ResourceArn=resource, Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])
    # Exactly fifty, the longest of them; one more is too much, another value for one is not.
    most = [{"Key": f"{i:02}" + "k" * 126, "Value": "v" * 256} for i in range(49)]
    assert len(aws.sagemaker.add_tags(ResourceArn=resource, Tags=most)["Tags"]) == 50
    refused(aws.sagemaker.add_tags, "ValidationException", "would have 51 tags: it must have at most 50", ResourceArn=resource, Tags=[{"Key": "one-more", "Value": ""}])
    assert len(aws.sagemaker.add_tags(ResourceArn=resource, Tags=[{"Key": "b", "Value": "größe 日本 _.:/=+-@"}])["Tags"]) == 50
    page = aws.sagemaker.list_tags(ResourceArn=resource, MaxResults=50)
    assert len(page["Tags"]) == 50 and "NextToken" not in page
    refused(aws.sagemaker.list_tags, "ValidationException", "NextToken", ResourceArn=resource, NextToken="x")
    status, out, _ = aws.target("ListTags", {"ResourceArn": resource, "MaxResults": 49})
    assert status == 400 and "at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 50" in out["message"]
    for tag, text in (({"Key": "k" * 129, "Value": ""}, "at 'tags.1.member.key'"), ({"Key": "k", "Value": "v" * 257}, "at 'tags.1.member.value'"), ({"Key": "\U0001f600", "Value": ""}, "may have only letters")):
        refused(aws.sagemaker.add_tags, "ValidationException", text, ResourceArn=resource, Tags=[tag])
    refused(aws.sagemaker.delete_tags, "ValidationException", "Member must have length less than or equal to 50", ResourceArn=resource, TagKeys=[f"k{i}" for i in range(51)])
    aws.sagemaker.delete_tags(ResourceArn=resource, TagKeys=[t["Key"] for t in most])
    assert [t["Key"] for t in aws.sagemaker.list_tags(ResourceArn=resource)["Tags"]] == ["b"]
    refused(aws.sagemaker.list_tags, "ValidationException", "Could not find resource", ResourceArn=resource.replace("000000000000", "123456789012"))
    refused(aws.sagemaker.list_tags, "ValidationException", "Could not find model", ResourceArn=arn("model", "none"))
    refused(aws.sagemaker.list_tags, "ValidationException", "Could not find resource", ResourceArn=arn("training-job", "x"))
    refused(aws.sagemaker.list_tags, "ValidationException", "at 'resourceArn'", ResourceArn="arn:aws:s3:::x")

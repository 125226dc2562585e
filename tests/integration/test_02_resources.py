"""Models, endpoint configs and tags: create, read, list, delete; what is refused, with field, value and limit."""
import re

import grpc
import pytest

import models
import protos
import suite
from suite import variant_of

URI = "file:///tmp/model.tar.gz"
FAILED_CALLS = grpc.RpcError


def failure(call, *arguments, **fields):
    with pytest.raises(grpc.RpcError) as failed:
        call(*arguments, **fields)
    return protos.Failure(failed.value)


# ---- models ----

def test_model_comes_back_as_it_was_made(up, name):
    made = up.create_model(name, URI, artifact_sha256="ab" * 32, environment={"A_B": "x"}, annotations={"any": "thing"},
                           tags=[{"key": "team", "value": "risk"}])
    got = up.models.GetModel(name=name).model
    assert got == made and got.runtime == "xgboost" and got.created_at_unix_ms > 0
    assert dict(got.environment) == {"A_B": "x"} and got.tags[0].value == "risk"
    again = failure(up.create_model, name, URI)
    assert again.code == "ALREADY_EXISTS" and name in again.message
    up.models.DeleteModel(name=name)
    assert failure(up.models.GetModel, name=name).code == "NOT_FOUND"
    assert failure(up.models.DeleteModel, name=name).code == "NOT_FOUND"


def test_request_id_gives_the_first_answer_again(up, name):
    model = {"name": name, "artifact_uri": URI}
    first = up.models.CreateModel(model=model, request_id="r-1-" + name[:40]).model
    assert up.models.CreateModel(model=model, request_id="r-1-" + name[:40]).model == first
    other = failure(up.models.CreateModel, model={**model, "artifact_uri": URI + "2"}, request_id="r-1-" + name[:40])
    assert (other.code, other.reason, other.fields) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED", ["request_id"])
    up.models.DeleteModel(name=name)
    assert up.models.CreateModel(model=model, request_id="r-1-" + name[:40]).model == first, "the first answer, whatever came after it"
    assert failure(up.models.GetModel, name=name).code == "NOT_FOUND"


BAD_MODELS = [
    # (changed fields, field, fragments of the message)
    ({"name": ""}, "name", ["name", "63"]),
    ({"name": "x" * 64}, "name", ["64", "63"]),
    ({"name": "-a"}, "name", ["-a", "hyphens"]),
    ({"name": "a-"}, "name", ["a-"]),
    ({"name": "a_b"}, "name", ["a_b"]),
    ({"name": "a/../b"}, "name", ["a/../b"]),
    ({"name": "é"}, "name", ["letters"]),
    ({"artifact_uri": ""}, "artifact_uri", ["artifact_uri", "1024"]),
    ({"artifact_uri": "file:///" + "x" * 1020}, "artifact_uri", ["1024"]),
    ({"artifact_uri": "file://relative"}, "artifact_uri", ["file://relative"]),
    ({"artifact_uri": "file:///a/../b"}, "artifact_uri", [".."]),
    ({"artifact_uri": "ftp://host/x"}, "artifact_uri", ["ftp://host/x", "s3://"]),
    ({"artifact_uri": "/tmp/model.tar.gz"}, "artifact_uri", ["/tmp/model.tar.gz"]),
    ({"artifact_uri": "https://user:secret@host/x"}, "artifact_uri", ["https://"]),
    ({"artifact_uri": "s3://bucket"}, "artifact_uri", ["s3://bucket"]),
    ({"artifact_uri": "file:///a b"}, "artifact_uri", ["spaces"]),
    ({"artifact_sha256": "AB" * 32}, "artifact_sha256", ["64", "lower-case"]),
    ({"artifact_sha256": "ab"}, "artifact_sha256", ["64"]),
    ({"runtime": "no spaces please"}, "runtime", ["no spaces please"]),
    ({"environment": {"1A": "x"}}, "environment key", ["1A"]),
    ({"environment": {"A": "x" * 1025}}, "environment[A]", ["1024", "1025"]),
    ({"environment": {f"K{i}": "" for i in range(101)}}, "environment", ["101", "100"]),
    ({"annotations": {"k": "x" * 65536}}, "annotations", ["65536"]),
    ({"tags": [{"key": "", "value": ""}]}, "tags[0].key", ["128"]),
    ({"tags": [{"key": "k" * 129}]}, "tags[0].key", ["129", "128"]),
    ({"tags": [{"key": "k", "value": "v" * 257}]}, "tags[0].value", ["257", "256"]),
    ({"tags": [{"key": "a;b"}]}, "tags[0].key", ["a;b"]),
    ({"tags": [{"key": "k"}, {"key": "k"}]}, "tags", ["k", "once"]),
    ({"tags": [{"key": f"k{i}"} for i in range(51)]}, "tags", ["51", "50"]),
]


@pytest.mark.parametrize("fields,field,fragments", BAD_MODELS, ids=[f"{i}-{c[1]}" for i, c in enumerate(BAD_MODELS)])
def test_bad_model_is_refused(up, fields, field, fragments):
    before = len(up.models.ListModels().models)
    told = failure(up.models.CreateModel, model={"name": "bad", "artifact_uri": URI, **fields})
    assert told.code == "INVALID_ARGUMENT" and told.fields == [field], told
    assert all(fragment in told.message for fragment in fragments), told
    assert len(up.models.ListModels().models) == before
    assert failure(up.models.GetModel, name="bad").code == "NOT_FOUND"


def test_validate_only_checks_and_makes_nothing(up, name):
    variant = variant_of("never-made")
    checked = [(up.models.CreateModel, {"model": {"name": name, "artifact_uri": URI}}, {"model": {"name": name, "artifact_uri": "x"}}),
               (up.configs.CreateEndpointConfig, {"endpoint_config": {"name": name, "variants": [variant]}},
                {"endpoint_config": {"name": name, "variants": [{**variant, "max_concurrency": 201}]}}),
               (up.endpoints.CreateEndpoint, {"name": name, "endpoint_config_name": "never-made"}, {"name": name, "endpoint_config_name": "-"})]
    for create, good, bad in checked:
        assert not create(**good, validate_only=True, request_id="once").ListFields()
        assert failure(create, **bad, validate_only=True).code == "INVALID_ARGUMENT"
    assert failure(up.models.GetModel, name=name).code == failure(up.configs.GetEndpointConfig, name=name).code == "NOT_FOUND"
    assert up.gone(name)
    assert up.models.CreateModel(model={"name": name, "artifact_uri": URI + "2"}, request_id="once").model.name == name


def test_request_without_a_model_is_refused(up):
    told = failure(up.models.CreateModel)
    assert told.code == "INVALID_ARGUMENT" and told.fields == ["model"]


# ---- endpoint configs ----

@pytest.fixture(scope="module")
def model(up):
    up.create_model("recipe", URI)
    return "recipe"


def test_config_comes_back_as_it_was_made(up, model, name):
    made = up.create_config(name, variant_of(model, name="a", weight=3), variant_of(model, name="b", keep_alive_ms=None, weight=0.0))
    got = up.configs.GetEndpointConfig(name=name).endpoint_config
    assert got == made
    assert got.variants[0].weight == 3 and got.variants[0].keep_alive.idle_ms == 60000
    assert got.variants[1].WhichOneof("initial_weight") == "weight" and not got.variants[1].HasField("keep_alive")
    up.configs.DeleteEndpointConfig(name=name)
    assert failure(up.configs.GetEndpointConfig, name=name).code == "NOT_FOUND"


BAD_VARIANTS = [
    ({"memory": 1000}, "memory_size_mb", ["1000", "1024", "6144"]),
    ({"memory": 7168}, "memory_size_mb", ["7168", "6144"]),
    ({"memory": 0}, "memory_size_mb", ["1024"]),
    ({"concurrency": 0}, "max_concurrency", ["0", "200"]),
    ({"concurrency": 201}, "max_concurrency", ["201", "200"]),
    ({"concurrency": 2, "provisioned": 3}, "provisioned_concurrency", ["3", "2"]),
    ({"provisioned": -1}, "provisioned_concurrency", ["-1"]),
    ({"keep_alive_ms": -1}, "keep_alive.idle_ms", ["-1"]),
    ({"keep_alive_ms": 604800001}, "keep_alive.idle_ms", ["604800000"]),
    ({"invoke_timeout_ms": 60001}, "invoke_timeout_ms", ["60001", "60000"]),
    ({"start_timeout_ms": 180001}, "start_timeout_ms", ["180001", "180000"]),
    ({"weight": -1}, "weight", ["-1"]),
    ({"weight": float("nan")}, "weight", ["nan"]),
    ({"weight": float("inf")}, "weight", ["inf"]),
    ({"name": "not a name"}, "name", ["not a name"]),
]


@pytest.mark.parametrize("fields,field,fragments", BAD_VARIANTS, ids=[f"{i}-{c[1]}" for i, c in enumerate(BAD_VARIANTS)])
def test_bad_variant_is_refused(up, model, fields, field, fragments):
    told = failure(up.create_config, "bad", variant_of(model, **fields))
    assert told.code == "INVALID_ARGUMENT" and told.fields == [f"variants[0].{field}"], told
    assert all(fragment in told.message for fragment in fragments), told
    assert failure(up.configs.GetEndpointConfig, name="bad").code == "NOT_FOUND"


@pytest.mark.parametrize("variants,fragments", [
    ([], ["0", "10"]),
    ([{"name": f"v{i}", "concurrency": 1} for i in range(11)], ["11", "10"]),
    ([{"name": "v"}, {"name": "v"}], ["v", "once"]),
    ([{"name": "a", "concurrency": 101}, {"name": "b", "concurrency": 100}], ["201", "200"]),
    ([{"name": "a", "weight": 0.0}], ["weight"]),
], ids=["none", "eleven", "twice", "too-many-together", "no-weight"])
def test_bad_variants_together_are_refused(up, model, variants, fragments):
    told = failure(up.create_config, "bad", *[variant_of(model, **v) for v in variants])
    assert told.code == "INVALID_ARGUMENT" and told.fields == ["variants"], told
    assert all(fragment in told.message for fragment in fragments), told


def test_config_needs_its_model(up):
    told = failure(up.create_config, "bad", variant_of("never-made"))
    assert told.code == "NOT_FOUND" and "never-made" in told.message


def test_endpoint_needs_its_config(up):
    told = failure(up.create_endpoint, "bad", "never-made")
    assert told.code == "NOT_FOUND" and "never-made" in told.message


# ---- lists ----

@pytest.fixture(scope="module")
def listed(up):
    names = [f"list-{i:02}" for i in range(25)]
    for each in names:
        up.create_model(each, URI)
    return names


def pages(up, size, **options):
    token, out = "", []
    while True:
        answer = up.models.ListModels(options={"page_size": size, "page_token": token, "name_contains": "LIST-", **options})
        assert len(answer.models) <= size
        out += [m.name for m in answer.models]
        token = answer.next_page_token
        if not token:
            return out


@pytest.mark.parametrize("size", [1, 7, 25, 1000])
def test_pages_are_complete_and_in_order(up, listed, size):
    assert pages(up, size, sort_by=2, sort_order=1) == listed
    assert pages(up, size, sort_by=2, sort_order=2) == listed[::-1]
    assert sorted(pages(up, size)) == listed


def test_lists_are_cut_by_time(up, listed):
    def names(**options):
        return [m.name for m in up.models.ListModels(options={"page_size": 1000, "name_contains": "list-", "sort_by": 1, "sort_order": 1,
                                                              **options}).models]
    at = [up.models.GetModel(name=each).model.created_at_unix_ms for each in listed]
    assert names() == listed and at == sorted(at)
    assert names(created_from_unix_ms=at[10]) == [each for each, when in zip(listed, at) if when >= at[10]]
    assert names(created_before_unix_ms=at[10]) == [each for each, when in zip(listed, at) if when < at[10]]
    assert names(created_from_unix_ms=at[-1] + 1) == []


def test_pages_are_stable_while_others_come_and_go(up, listed):
    first = up.models.ListModels(options={"page_size": 10, "name_contains": "list-", "sort_by": 2, "sort_order": 1})
    up.create_model("list-00a", URI)
    try:
        rest = up.models.ListModels(options={"page_size": 1000, "page_token": first.next_page_token, "name_contains": "list-",
                                             "sort_by": 2, "sort_order": 1})
        names = [m.name for m in first.models] + [m.name for m in rest.models]
        assert names == listed
    finally:
        up.models.DeleteModel(name="list-00a")


@pytest.mark.parametrize("sort_by", [1, 2], ids=["time", "name"])
def test_page_goes_on_where_the_last_one_ended_though_that_is_deleted(up, sort_by):
    names = [f"goes-{i}" for i in range(5)]
    for each in names:
        up.create_model(each, URI)
    options = {"page_size": 2, "name_contains": "goes-", "sort_by": sort_by, "sort_order": 1}
    first = up.models.ListModels(options=options)
    up.models.DeleteModel(name=names[1])
    rest = up.models.ListModels(options={**options, "page_size": 1000, "page_token": first.next_page_token})
    assert [m.name for m in first.models] == names[:2] and [m.name for m in rest.models] == names[2:] and not rest.next_page_token
    for each in names[:1] + names[2:]:
        up.models.DeleteModel(name=each)


@pytest.mark.parametrize("options,field", [
    ({"page_size": -1}, "page_size"), ({"page_size": 1001}, "page_size"), ({"page_token": "garbage"}, "page_token"),
    ({"name_contains": "x" * 64}, "name_contains"), ({"created_from_unix_ms": -1}, "created_from_unix_ms"),
    ({"sort_by": 99}, "sort_by"), ({"sort_order": 99}, "sort_order"), ({"sort_by": 3}, "sort_by"),
])
def test_bad_list_options_are_refused(up, options, field):
    told = failure(up.models.ListModels, options=options)
    assert told.code == "INVALID_ARGUMENT" and told.fields == [field], told


def test_token_of_another_list_is_refused(up, listed):
    token = up.models.ListModels(options={"page_size": 1, "name_contains": "list-"}).next_page_token
    assert failure(up.models.ListModels, options={"page_size": 1, "name_contains": "other", "page_token": token}).code == "INVALID_ARGUMENT"


# ---- tags ----

def test_tags(up, name):
    up.create_model(name, URI, tags=[{"key": "a", "value": "1"}])
    added = up.tags.AddTags(kind=1, name=name, tags=[{"key": "b", "value": "2"}, {"key": "a", "value": "3"}])
    assert [(t.key, t.value) for t in added.tags] == [("a", "3"), ("b", "2")]
    up.tags.DeleteTags(kind=1, name=name, keys=["a", "never"])
    assert [(t.key, t.value) for t in up.tags.ListTags(kind=1, name=name).tags] == [("b", "2")]
    assert [t.key for t in up.models.GetModel(name=name).model.tags] == ["b"]
    assert failure(up.tags.AddTags, kind=1, name="never-made", tags=[{"key": "a"}]).code == "NOT_FOUND"
    assert failure(up.tags.AddTags, kind=0, name=name, tags=[{"key": "a"}]).code == "INVALID_ARGUMENT"
    full = failure(up.tags.AddTags, kind=1, name=name, tags=[{"key": f"k{i}"} for i in range(50)])
    assert full.code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED") and "50" in full.message


# ---- bytes that are no message ----

PATHS = ["/pilotlight.v1.ModelService/CreateModel", "/pilotlight.v1.EndpointService/CreateEndpoint", "/pilotlight.v1.TagService/AddTags"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("garbage", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x08" + b"\xff" * 11, b"\x0a\x02\xff\xfe"],
                         ids=["tag", "huge-length", "cut", "varint", "utf8"])
def test_malformed_protobuf_is_invalid(up, path, garbage):
    with pytest.raises(grpc.RpcError) as failed:
        up.channel("control").unary_unary(path)(garbage, timeout=suite.PATIENCE)
    assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT, failed.value
    assert re.search("malformed protobuf|not valid UTF-8", failed.value.details())


def test_oversize_request_is_refused_with_the_limit(up):
    told = failure(up.models.CreateModel, model={"name": "big", "artifact_uri": URI, "annotations": {"k": "x" * (5 << 20)}})
    assert told.code == "RESOURCE_EXHAUSTED" and "5242880" in told.message, told
    assert up.models.ListModels(options={"page_size": 1}).models is not None


def test_sample_manifest_is_where_the_docs_say():
    assert (models.SAMPLE / "manifest.yaml").is_file()

"""The built-in artifact buckets as S3 clients see them."""
import base64
import datetime
import hashlib
import io
import os
import socket
import urllib.error
import urllib.request
import zlib

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

import aws as clients
import suite
from aws import Aws
from suite import wait_until
from test_13_sagemaker import refused


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture
def bucket(aws, name):
    bucket = name.lower()[:50].rstrip("-")
    aws.s3.create_bucket(Bucket=bucket)
    return bucket


def fails(call, code, status, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), error
    return error


# ---- buckets ----

def test_buckets(aws, up):
    fails(aws.s3.head_bucket, "404", 404, Bucket="nobodys")
    aws.s3.create_bucket(Bucket="mine")
    aws.s3.create_bucket(Bucket="mine")  # us-east-1 says yes again
    assert aws.s3.head_bucket(Bucket="mine")["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    assert "mine" in [b["Name"] for b in aws.s3.list_buckets()["Buckets"]]
    assert aws.s3.get_bucket_location(Bucket="mine")["LocationConstraint"] is None
    west = Aws(up, region="eu-west-1")
    fails(west.s3.create_bucket, "BucketAlreadyOwnedByYou", 409, Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert west.s3.get_bucket_location(Bucket="mine")["LocationConstraint"] == "eu-west-1"
    aws.s3.put_object(Bucket="mine", Key="k", Body=b"")
    fails(aws.s3.delete_bucket, "BucketNotEmpty", 409, Bucket="mine")
    aws.s3.delete_object(Bucket="mine", Key="k")
    aws.s3.delete_bucket(Bucket="mine")
    fails(aws.s3.delete_bucket, "NoSuchBucket", 404, Bucket="mine")


def test_the_default_bucket_as_the_python_sdk_makes_it(aws):
    """Is it there (by the list of all buckets), made when it is not, and asked for as its owner's from then on."""
    account = aws.client("sts").get_caller_identity()["Account"]
    name = f"sagemaker-{clients.REGION}-{account}"
    resource = boto3.resource("s3", endpoint_url=aws.url, region_name=aws.region, aws_access_key_id=aws.key, aws_secret_access_key=aws.secret)
    assert resource.Bucket(name).creation_date is None
    fails(aws.s3.head_bucket, "404", 404, Bucket=name, ExpectedBucketOwner=account)
    resource.create_bucket(Bucket=name)
    assert isinstance(resource.Bucket(name).creation_date, datetime.datetime)
    aws.s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    fails(aws.s3.head_bucket, "403", 403, Bucket=name, ExpectedBucketOwner="123456789012")
    fails(aws.s3.list_objects_v2, "AccessDenied", 403, Bucket=name, ExpectedBucketOwner="123456789012")
    resource.Bucket(name).put_object(Key="m/sourcedir.tar.gz", Body=b"tar", ExpectedBucketOwner=account)
    assert [o.key for o in resource.Bucket(name).objects.all()] == ["m/sourcedir.tar.gz"]


@pytest.mark.parametrize("path", ["/UPPER", "/ab", "/a..b", "/-ab", "/ab-", "/" + "a" * 64, "/a_b", "/%2e%2e", "/..%2fetc/passwd", "/a%00b"])
def test_bucket_names_that_are_none(aws, path):
    status, _, body = aws.request("PUT", path, b"", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, service=None)
    assert status == 403  # unsigned: nobody gets that far
    status, _, body = aws.request("GET", path, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, service="s3")
    assert status in (400, 403) and b"<Error>" in body


@pytest.mark.parametrize("arguments, code, status", [
    ({"Bucket": "1.2.3.4"}, "InvalidBucketName", 400), ({"Bucket": "xn--bucket"}, "InvalidBucketName", 400), ({"Bucket": "bucket-s3alias"}, "InvalidBucketName", 400),
    ({"ACL": "public-read"}, "InvalidBucketAclWithObjectOwnership", 400), ({"GrantRead": "id=1"}, "InvalidBucketAclWithObjectOwnership", 400),
    ({"ObjectLockEnabledForBucket": True}, "NotImplemented", 501), ({"ObjectOwnership": "ObjectWriter"}, "NotImplemented", 501)])
def test_buckets_that_are_not_made(aws, arguments, code, status):
    fails(aws.s3.create_bucket, code, status, **{"Bucket": "not-made", **arguments})
    assert "not-made" not in [b["Name"] for b in aws.s3.list_buckets()["Buckets"]]


# ---- objects ----

@pytest.mark.parametrize("key", ["plain", "a/b/c", "with space+plus", "ü/日本", "../../etc/passwd", "a//b", "/lead", "%41", "x" * 1024, "~!@#$&*()'=:;,?"])
def test_keys_are_kept_as_they_are(up, aws, bucket, key):
    aws.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [o["Key"] for o in aws.s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    files = [f for f in (up.folder / "state" / "gateway" / "buckets" / bucket).iterdir()]
    assert [len(f.name) for f in files] == [68]  # a hash: no name of a file comes from a client
    aws.s3.delete_object(Bucket=bucket, Key=key)
    assert aws.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_the_bucket_in_the_host(aws, bucket, monkeypatch):
    """Virtual-host style, as clients do it by default: BUCKET.localhost (setting s3.host), signed with that host."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve("127.0.0.1" if host.endswith(".localhost") else host, *rest, **more))
    s3 = boto3.client("s3", endpoint_url=f"http://localhost:{aws.up.base}", region_name=aws.region, aws_access_key_id=aws.key, aws_secret_access_key=aws.secret,
                      config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
    s3.put_object(Bucket=bucket, Key="a b/ü+c", Body=b"by host")
    assert s3.get_object(Bucket=bucket, Key="a b/ü+c", Range="bytes=3-")["Body"].read() == b"host"
    assert aws.s3.get_object(Bucket=bucket, Key="a b/ü+c")["Body"].read() == b"by host"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="a b/")["Contents"]] == ["a b/ü+c"]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü+c"}, ExpiresIn=60)
    assert url.startswith(f"http://{bucket}.localhost:") and urllib.request.urlopen(url).read() == b"by host"
    fails(s3.head_bucket, "404", 404, Bucket="nobodys")
    s3.create_bucket(Bucket=f"{bucket}-2")
    s3.delete_bucket(Bucket=f"{bucket}-2")


def test_what_an_object_carries(aws, bucket):
    body = b"hello"
    put = aws.s3.put_object(Bucket=bucket, Key="k", Body=body, ContentType="text/plain", Metadata={"owner": "me"}, CacheControl="no-store", ContentEncoding="x",
                            ContentMD5=base64.b64encode(hashlib.md5(body).digest()).decode())
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    for out in (aws.s3.head_object(Bucket=bucket, Key="k"), aws.s3.get_object(Bucket=bucket, Key="k")):
        assert (out["ContentLength"], out["ContentType"], out["Metadata"], out["CacheControl"], out["ContentEncoding"], out["ETag"]) == (
            5, "text/plain", {"owner": "me"}, "no-store", "x", put["ETag"])
    assert aws.s3.get_object(Bucket=bucket, Key="k", IfMatch=put["ETag"])["ContentLength"] == 5
    fails(aws.s3.get_object, "PreconditionFailed", 412, Bucket=bucket, Key="k", IfMatch='"other"')
    fails(aws.s3.get_object, "304", 304, Bucket=bucket, Key="k", IfNoneMatch=put["ETag"])
    fails(aws.s3.get_object, "304", 304, Bucket=bucket, Key="k", IfModifiedSince=out["LastModified"])
    fails(aws.s3.head_object, "404", 404, Bucket=bucket, Key="none")
    fails(aws.s3.get_object, "NoSuchKey", 404, Bucket=bucket, Key="none")
    fails(aws.s3.put_object, "NoSuchBucket", 404, Bucket="nobodys", Key="k", Body=b"x")
    fails(aws.s3.put_object, "BadDigest", 400, Bucket=bucket, Key="k", Body=b"other", ContentMD5=base64.b64encode(hashlib.md5(body).digest()).decode())
    fails(aws.s3.copy_object, "NotImplemented", 501, Bucket=bucket, Key="k2", CopySource=f"{bucket}/k")
    fails(aws.s3.put_object_acl, "NotImplemented", 501, Bucket=bucket, Key="k", ACL="private")
    assert aws.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body  # what failed changed nothing


@pytest.mark.parametrize("asked, code, status", [
    ({"ACL": "public-read"}, "AccessControlListNotSupported", 400), ({"GrantFullControl": "id=1"}, "AccessControlListNotSupported", 400),
    ({"StorageClass": "GLACIER"}, "InvalidStorageClass", 400), ({"Tagging": "a=b"}, "NotImplemented", 501), ({"WebsiteRedirectLocation": "/x"}, "NotImplemented", 501),
    ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2030-01-01"}, "InvalidRequest", 400), ({"ObjectLockLegalHoldStatus": "ON"}, "InvalidRequest", 400),
    ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key"}, "NotImplemented", 501), ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, None, 0),
    ({"Metadata": {"m": "x" * 2048}}, "MetadataTooLarge", 400), ({"Metadata": {f"{i:010}": "x" * 50 for i in range(35)}}, "MetadataTooLarge", 400)])
def test_what_objects_cannot_have_is_refused(aws, bucket, asked, code, status):
    """Of whatever is put; nobody believes in what there is not."""
    for put in (aws.s3.put_object, aws.s3.create_multipart_upload):
        if code:
            fails(put, code, status, Bucket=bucket, Key="k", **asked)
        else:  # the client itself wants TLS for these
            key = {f"x-amz-server-side-encryption-customer-{what}": "x" for what in ("algorithm", "key", "key-MD5")}
            got, _, body = aws.request("PUT", f"/{bucket}/k", b"x", {**key, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, service="s3")
            assert got == 501 and b"<Code>NotImplemented</Code>" in body and b"x-amz-server-side-encryption-customer-" in body.lower()
    fails(aws.s3.head_object, "404", 404, Bucket=bucket, Key="k")


@pytest.mark.parametrize("asked", [{"ACL": "private"}, {"ACL": "bucket-owner-full-control"}, {"StorageClass": "STANDARD"}, {"Tagging": ""}, {"ServerSideEncryption": "AES256"},
                                   {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True}, {"Metadata": {"m": "x" * 2047}}])
def test_what_asks_for_what_is_so_anyway(aws, bucket, asked):
    """The SageMaker SDK asks for encryption with every upload. It is the disk's affair, so the answer does not say that it was done."""
    assert "ServerSideEncryption" not in aws.s3.put_object(Bucket=bucket, Key="k", Body=b"x", **asked)
    head = aws.s3.head_object(Bucket=bucket, Key="k")
    assert "ServerSideEncryption" not in head and head["Metadata"] == asked.get("Metadata", {})


def test_conditional_writes(aws, bucket):
    """Only where there is nothing yet, or only over what one has read: newer clients ask for it, and take silence for consent."""
    def put(body, **headers):
        status, _, out = aws.request("PUT", f"/{bucket}/k", body, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", **{k.replace("_", "-"): v for k, v in headers.items()}}, service="s3")
        return status, out

    assert put(b"x", If_Match='"' + "0" * 32 + '"')[0] == 404
    assert put(b"one", If_None_Match="*") == (200, b"")
    status, out = put(b"two", If_None_Match="*")
    assert status == 412 and b"<Code>PreconditionFailed</Code>" in out
    etag = aws.s3.head_object(Bucket=bucket, Key="k")["ETag"]
    assert put(b"two", If_Match=etag)[0] == 200 and put(b"three", If_Match=etag)[0] == 412 and put(b"three", If_None_Match=etag)[0] == 501
    upload = aws.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = aws.s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"four")["ETag"]
    xml = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part></CompleteMultipartUpload>".encode()
    for headers, expected in (({"If-None-Match": "*"}, 412), ({"If-Match": etag}, 412), ({}, 200)):
        assert aws.request("POST", f"/{bucket}/k?uploadId={upload}", xml, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", **headers}, service="s3")[0] == expected
    assert aws.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"four"


@pytest.mark.parametrize("text, span", [("bytes=0-0", (0, 1)), ("bytes=2-4", (2, 5)), ("bytes=4-", (4, 10)), ("bytes=-3", (7, 10)), ("bytes=8-100", (8, 10)), ("bytes=-100", (0, 10)),
                                        ("bytes=5-2", None), ("bytes=a-b", None), ("lines=1-2", None), ("bytes=0-1,3-4", None)])
def test_ranges(aws, bucket, text, span):
    aws.s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    out = aws.s3.get_object(Bucket=bucket, Key="k", Range=text)
    if span:
        assert out["Body"].read() == b"0123456789"[slice(*span)] and out["ContentRange"] == f"bytes {span[0]}-{span[1] - 1}/10"
        assert out["ResponseMetadata"]["HTTPStatusCode"] == 206
    else:
        assert out["Body"].read() == b"0123456789" and "ContentRange" not in out


def test_ranges_that_cannot_be(aws, bucket):
    aws.s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    for text in ("bytes=10-", "bytes=-0", "bytes=100-200"):
        fails(aws.s3.get_object, "InvalidRange", 416, Bucket=bucket, Key="k", Range=text)
    aws.s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert aws.s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""


def test_large_objects_in_parts(aws, bucket):
    content = os.urandom(20 << 20)
    aws.s3.upload_fileobj(io.BytesIO(content), bucket, "big")
    head = aws.s3.head_object(Bucket=bucket, Key="big")
    assert head["ContentLength"] == len(content) and head["ETag"].endswith('-3"')
    back = io.BytesIO()
    aws.s3.download_fileobj(bucket, "big", back)
    assert back.getvalue() == content
    whole = aws.s3.get_object(Bucket=bucket, Key="big")["Body"].read()
    assert whole == content


def test_multipart_uploads_by_hand(aws, bucket):
    create, part, complete = aws.s3.create_multipart_upload, aws.s3.upload_part, aws.s3.complete_multipart_upload
    upload = create(Bucket=bucket, Key="k", ContentType="text/x", Metadata={"a": "b"})["UploadId"]
    at = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    second = part(**at, PartNumber=2, Body=b"world")["ETag"]
    part(**at, PartNumber=1, Body=b"never seen")
    first = part(**at, PartNumber=1, Body=b"hello ")["ETag"]
    part(**at, PartNumber=9, Body=b"not chosen")
    fails(complete, "InvalidPart", 400, **at, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": second}]})
    fails(complete, "InvalidPart", 400, **at, MultipartUpload={"Parts": [{"PartNumber": 3, "ETag": second}]})
    fails(complete, "InvalidPartOrder", 400, **at, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": second}, {"PartNumber": 1, "ETag": first}]})
    fails(part, "InvalidArgument", 400, **at, PartNumber=10001, Body=b"x")
    fails(part, "NoSuchUpload", 404, Bucket=bucket, Key="k", UploadId="none", PartNumber=1, Body=b"x")
    complete(**at, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]})
    out = aws.s3.get_object(Bucket=bucket, Key="k")
    assert (out["Body"].read(), out["ContentType"], out["Metadata"]) == (b"hello world", "text/x", {"a": "b"})
    fails(complete, "NoSuchUpload", 404, **at, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": first}]})
    upload = create(Bucket=bucket, Key="k2")["UploadId"]
    aws.s3.abort_multipart_upload(Bucket=bucket, Key="k2", UploadId=upload)
    fails(aws.s3.abort_multipart_upload, "NoSuchUpload", 404, Bucket=bucket, Key="k2", UploadId=upload)


# ---- lists ----

def test_lists(aws, bucket):
    keys = sorted([f"a/{i}/x" for i in range(5)] + [f"b{i}" for i in range(5)] + ["a/0/y", "c d&<é"])
    for key in keys:
        aws.s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    def listed(operation="list_objects_v2", size=2, **arguments):
        pages = list(aws.s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": size}, **arguments))
        return [o["Key"] for p in pages for o in p.get("Contents", [])], [c["Prefix"] for p in pages for c in p.get("CommonPrefixes", [])]

    for operation in ("list_objects_v2", "list_objects"):
        for size in (1, 2, 3, 1000):
            assert listed(operation, size) == (keys, [])
            assert listed(operation, size, Prefix="a/", Delimiter="/") == ([], [f"a/{i}/" for i in range(5)])
            assert listed(operation, size, Delimiter="/") == ([k for k in keys if "/" not in k], ["a/"])
            assert listed(operation, size, Prefix="b") == ([f"b{i}" for i in range(5)], [])
    assert listed(StartAfter="b2")[0] == [k for k in keys if k > "b2"]
    assert listed(Prefix="zzz") == ([], [])
    fails(aws.s3.list_objects_v2, "InvalidArgument", 400, Bucket=bucket, ContinuationToken="nonsense")
    fails(aws.s3.list_objects_v2, "NoSuchBucket", 404, Bucket="nobodys")
    out = aws.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys] + [{"Key": "never there"}]})
    assert len(out["Deleted"]) == len(keys) + 1 and aws.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("xml", [b"", b"<Delete>", b"<Delete/>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><Delete><Object><Key>&a;</Key></Object></Delete>", b"<Delete><Object><Key>k</Object></Key></Delete>",
                                 b"<a>" * 40, b"\xff\xfe", b"<Delete><Object><Key>&bad;</Key></Object></Delete>", b"<Delete></Delete><Delete></Delete>"])
def test_xml_that_is_refused(aws, bucket, xml):
    status, _, body = aws.request("POST", f"/{bucket}?delete=", xml, service="s3", headers={"x-amz-content-sha256": hashlib.sha256(xml).hexdigest()})
    assert status == 400 and b"<Code>MalformedXML</Code>" in body
    for path in (f"/{bucket}-2", f"/{bucket}/k?uploadId={aws.s3.create_multipart_upload(Bucket=bucket, Key='k')['UploadId']}"):
        method = "POST" if "?" in path else "PUT"
        status, _, body = aws.request(method, path, xml, service="s3", headers={"x-amz-content-sha256": hashlib.sha256(xml).hexdigest()})
        assert (status == 400 and b"<Code>MalformedXML</Code>" in body) or (xml == b"" and method == "PUT"), (path, body)


# ---- signatures of objects ----

def test_presigned_urls(aws, bucket):
    aws.s3.put_object(Bucket=bucket, Key="a b/c", Body=b"there")
    get = aws.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/c"}, ExpiresIn=60)
    assert urllib.request.urlopen(get).read() == b"there"
    put = aws.s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "put"}, ExpiresIn=60)
    assert urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT")).status == 200
    assert aws.s3.get_object(Bucket=bucket, Key="put")["Body"].read() == b"by url"
    for changed in (get.replace("a%20b/c", "put"), get.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
                    get.replace("X-Amz-Expires=60", "X-Amz-Expires=999999"), get.replace("X-Amz-Algorithm=AWS4", "X-Amz-Algorithm=AWS5")):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(changed)
        assert error.value.code in (400, 403)
    short = aws.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "put"}, ExpiresIn=1)

    def expired():
        try:
            return urllib.request.urlopen(short).status != 200
        except urllib.error.HTTPError as error:
            return b"Request has expired" in error.read()
    wait_until(expired, "the URL expires")


def test_payload_hashes(aws, bucket):
    path, sha = f"/{bucket}/k", hashlib.sha256(b"right").hexdigest()
    assert aws.request("PUT", path, b"right", {"x-amz-content-sha256": sha}, service="s3", sent=b"right")[0] == 200
    status, _, body = aws.request("PUT", path, b"wrong", {"x-amz-content-sha256": sha}, service="s3", sent=b"right")
    assert status == 400 and b"XAmzContentSHA256Mismatch" in body
    assert aws.request("PUT", path, b"any", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, service="s3")[0] == 200
    status, _, body = aws.request("PUT", path, b"x", {"x-amz-content-sha256": "STREAMING-SOMETHING"}, service="s3")
    assert status == 400 and b"InvalidRequest" in body


@pytest.mark.parametrize("algorithm, value, wrong", [("crc32", base64.b64encode(zlib.crc32(b"body").to_bytes(4, "big")).decode(), "AAAAAA=="),
                                                     ("sha256", base64.b64encode(hashlib.sha256(b"body").digest()).decode(), base64.b64encode(bytes(32)).decode()),
                                                     ("sha1", base64.b64encode(hashlib.sha1(b"body").digest()).decode(), base64.b64encode(bytes(20)).decode()),
                                                     ("crc32c", "4Rwjyg==", "AAAAAA=="), ("crc64nvme", None, "AAAAAAAAAAA=")])
def test_checksums(aws, bucket, algorithm, value, wrong):
    def put(checksum):
        return aws.request("PUT", f"/{bucket}/k", b"body", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", f"x-amz-checksum-{algorithm}": checksum}, service="s3")
    status, _, body = put(wrong)
    assert status == 400 and b"<Code>BadDigest</Code>" in body
    if value is None or algorithm == "crc32c":  # the answer says what it should have been
        value = body.split(b"what we received is ")[1].split(b".")[0].decode()
    assert put(value)[0] == 200


def chunked(pieces, trailer=b""):
    return b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in pieces) + b"0\r\n" + trailer + b"\r\n"


def test_chunked_bodies_with_a_trailer(aws, bucket):
    body = os.urandom(300000)
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))

    def put(text, trailer=True, length=len(body)):
        headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": str(length), "Content-Encoding": "aws-chunked"}
        if trailer:
            headers["x-amz-trailer"] = "x-amz-checksum-crc32"
        return aws.request("PUT", f"/{bucket}/k", text, headers, service="s3")
    good = chunked([body[:100000], body[100000:]], b"x-amz-checksum-crc32:" + crc + b"\r\n")
    assert put(good)[0] == 200
    out = aws.s3.get_object(Bucket=bucket, Key="k")
    assert out["Body"].read() == body and "ContentEncoding" not in out
    for text, code in ((chunked([body], b"x-amz-checksum-crc32:AAAAAA==\r\n"), b"BadDigest"), (good[:-2], b"IncompleteBody"), (b"zz\r\n", b"InvalidChunkSizeError"),
                       (b"5\r\nabcdefg\r\n0\r\n\r\n", b"InvalidChunkSizeError"), (good + b"more", b"InvalidChunkSizeError"), (b"5\nabcde\n0\n\n", b"InvalidChunkSizeError")):
        status, _, out = put(text)
        assert status == 400 and code in out, (code, out)
    assert aws.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


# ---- limits and the disk ----

def test_sizes_are_limited(tmp_path):
    up = suite.Up(tmp_path, "--set", "gateway.s3.object_bytes=1MiB", "--set", "gateway.s3.total_bytes=2MiB", "--set", "gateway.s3.uploads=1").start()
    try:
        aws = Aws(up)
        aws.s3.create_bucket(Bucket="small")
        fails(aws.s3.put_object, "EntityTooLarge", 400, Bucket="small", Key="k", Body=bytes(1048577))
        for i in range(2):
            aws.s3.put_object(Bucket="small", Key=f"k{i}", Body=bytes(1048576))
        fails(aws.s3.put_object, "InsufficientStorage", 507, Bucket="small", Key="k2", Body=b"x")
        aws.s3.delete_object(Bucket="small", Key="k0")
        aws.s3.put_object(Bucket="small", Key="k2", Body=b"x")  # what was freed can be used
        upload = aws.s3.create_multipart_upload(Bucket="small", Key="u")["UploadId"]
        fails(aws.s3.create_multipart_upload, "SlowDown", 503, Bucket="small", Key="v")
        aws.s3.abort_multipart_upload(Bucket="small", Key="u", UploadId=upload)
        aws.s3.create_multipart_upload(Bucket="small", Key="v")
    finally:
        assert up.stop() == 0


def test_objects_survive_and_what_was_half_written_does_not(tmp_path):
    up = suite.Up(tmp_path).start()
    aws = Aws(up)
    aws.s3.create_bucket(Bucket="kept")
    aws.s3.put_object(Bucket="kept", Key="a/k", Body=b"v" * 100000, Metadata={"x": "y"})
    upload = aws.s3.create_multipart_upload(Bucket="kept", Key="u")["UploadId"]
    aws.s3.upload_part(Bucket="kept", Key="u", UploadId=upload, PartNumber=1, Body=b"x")
    assert up.stop() == 0
    folder = tmp_path / "state" / "gateway" / "buckets"
    (folder / "kept" / ("0" * 64 + ".obj")).write_bytes(b"cut short")
    (tmp_path / "up.log").unlink()  # it says "ready" already
    again = suite.Up(tmp_path).start()
    try:
        aws = Aws(again)
        assert [o["Key"] for o in aws.s3.list_objects_v2(Bucket="kept")["Contents"]] == ["a/k"]
        out = aws.s3.get_object(Bucket="kept", Key="a/k")
        assert out["Body"].read() == b"v" * 100000 and out["Metadata"] == {"x": "y"}
        assert list((folder / ".new").iterdir()) == []
        fails(aws.s3.upload_part, "NoSuchUpload", 404, Bucket="kept", Key="u", UploadId=upload, PartNumber=1, Body=b"x")
    finally:
        assert again.stop() == 0


def test_a_model_that_is_missing_fails_the_endpoint_with_its_uri(aws, bucket, name):
    aws.create_model(name, f"s3://{bucket}/none.tar.gz")
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{"VariantName": "v", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    out = wait_until(lambda: (e := aws.sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Failed" and e, "it fails")
    assert f"s3://{bucket}/none.tar.gz" in out["FailureReason"] and "404" in out["FailureReason"]
    refused(aws.sagemaker.update_endpoint, "ValidationException", EndpointName=name, EndpointConfigName=name)

// A whole flow with the newest AWS clients for JavaScript; tests/integration/test_15_aws_clients.py runs it and reads its last line.
//   node flow.mjs NAME MODEL_FILE ROW, with AWS_ENDPOINT and keys in the environment
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { Readable } from "node:stream";

import * as cloudwatch from "@aws-sdk/client-cloudwatch";
import * as s3 from "@aws-sdk/client-s3";
import * as sagemaker from "@aws-sdk/client-sagemaker";
import * as runtime from "@aws-sdk/client-sagemaker-runtime";
import * as sts from "@aws-sdk/client-sts";

const [name, modelFile, row] = process.argv.slice(2);
const options = { endpoint: process.env.AWS_ENDPOINT, region: process.env.AWS_DEFAULT_REGION, maxAttempts: 1 };
const text = (bytes) => Buffer.from(bytes).toString();

async function refused(promise, errorName, status, part) {
  const error = await promise.then(() => assert.fail(`${errorName} was expected`), (e) => e);
  assert.equal(error.name, errorName, String(error));
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.ok(error.message.includes(part), error.message);
  assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
  return error;
}

// ---- who, and where ----
const account = (await new sts.STSClient(options).send(new sts.GetCallerIdentityCommand({}))).Account;
assert.equal(account, "000000000000");

// ---- objects ----
const objects = new s3.S3Client({ ...options, forcePathStyle: true });
const Bucket = `js-${name}`;
await refused(objects.send(new s3.HeadBucketCommand({ Bucket })), "NotFound", 404, "").catch((e) => assert.match(String(e), /requestId|match/));
await objects.send(new s3.CreateBucketCommand({ Bucket }));
await objects.send(new s3.PutObjectCommand({ Bucket, Key: "model.tar.gz", Body: readFileSync(modelFile), Metadata: { from: "js" } })); // with a CRC32
const big = Buffer.alloc(3 << 20, "x");
await objects.send(new s3.PutObjectCommand({ Bucket, Key: "streamed", Body: Readable.from([big.subarray(0, 1 << 20), big.subarray(1 << 20)]), ContentLength: big.length })); // aws-chunked
const got = await objects.send(new s3.GetObjectCommand({ Bucket, Key: "streamed" }));
assert.ok(Buffer.from(await got.Body.transformToByteArray()).equals(big));
const part = await objects.send(new s3.GetObjectCommand({ Bucket, Key: "streamed", Range: "bytes=-5" }));
assert.equal(await part.Body.transformToString(), "xxxxx");
assert.equal((await objects.send(new s3.HeadObjectCommand({ Bucket, Key: "model.tar.gz" }))).Metadata.from, "js");
const { UploadId } = await objects.send(new s3.CreateMultipartUploadCommand({ Bucket, Key: "parts" }));
const Parts = [];
for (const [i, Body] of ["one-", "two"].entries()) {
  const { ETag } = await objects.send(new s3.UploadPartCommand({ Bucket, Key: "parts", UploadId, PartNumber: i + 1, Body }));
  Parts.push({ ETag, PartNumber: i + 1 });
}
await objects.send(new s3.CompleteMultipartUploadCommand({ Bucket, Key: "parts", UploadId, MultipartUpload: { Parts } }));
assert.equal(await (await objects.send(new s3.GetObjectCommand({ Bucket, Key: "parts" }))).Body.transformToString(), "one-two");
const keys = [];
for await (const page of s3.paginateListObjectsV2({ client: objects, pageSize: 2 }, { Bucket })) keys.push(...page.Contents.map((o) => o.Key));
assert.deepEqual(keys, ["model.tar.gz", "parts", "streamed"]);
await refused(objects.send(new s3.GetObjectCommand({ Bucket, Key: "none" })), "NoSuchKey", 404, "does not exist");
// As these clients do it unless told otherwise: the bucket is in the host's name. Not every machine knows names below "localhost".
const here = new http.Agent({ lookup: (_, { all }, done) => (all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)) });
const byHost = new s3.S3Client({ ...options, endpoint: options.endpoint.replace("127.0.0.1", "localhost"), requestHandler: { httpAgent: here } });
await byHost.send(new s3.PutObjectCommand({ Bucket, Key: "by host/\u00fc+1", Body: "named" }));
assert.equal(await (await byHost.send(new s3.GetObjectCommand({ Bucket, Key: "by host/\u00fc+1" }))).Body.transformToString(), "named");
assert.equal(await (await objects.send(new s3.GetObjectCommand({ Bucket, Key: "by host/\u00fc+1" }))).Body.transformToString(), "named");
await byHost.send(new s3.DeleteObjectCommand({ Bucket, Key: "by host/\u00fc+1" }));
await refused(byHost.send(new s3.GetObjectCommand({ Bucket, Key: "by host/\u00fc+1" })), "NoSuchKey", 404, "does not exist");

// ---- deploy ----
const control = new sagemaker.SageMakerClient(options);
const PrimaryContainer = { Image: "x/sagemaker-xgboost:1.7-1", ModelDataUrl: `s3://${Bucket}/model.tar.gz` };
await control.send(new sagemaker.CreateModelCommand({ ModelName: name, PrimaryContainer, ExecutionRoleArn: `arn:aws:iam::${account}:role/pilotlight` }));
await refused(control.send(new sagemaker.CreateModelCommand({ ModelName: name, PrimaryContainer })), "ValidationException", 400, "Cannot create already existing model");
const variant = { VariantName: "AllTraffic", ModelName: name, ServerlessConfig: { MemorySizeInMB: 2048, MaxConcurrency: 5, ProvisionedConcurrency: 1 } };
await refused(control.send(new sagemaker.CreateEndpointConfigCommand({ EndpointConfigName: name, ProductionVariants: [{ ...variant, ServerlessConfig: { MemorySizeInMB: 7000, MaxConcurrency: 0 } }] })),
  "ValidationException", 400, "2 validation errors detected");
await control.send(new sagemaker.CreateEndpointConfigCommand({ EndpointConfigName: name, ProductionVariants: [variant] }));
await control.send(new sagemaker.CreateEndpointCommand({ EndpointName: name, EndpointConfigName: name }));
await sagemaker.waitUntilEndpointInService({ client: control, maxWaitTime: 120, minDelay: 1, maxDelay: 1 }, { EndpointName: name });
const described = await control.send(new sagemaker.DescribeEndpointCommand({ EndpointName: name }));
assert.ok(described.CreationTime instanceof Date && Math.abs(Date.now() - described.CreationTime) < 600000);
assert.deepEqual(described.ProductionVariants[0].CurrentServerlessConfig, { MemorySizeInMB: 2048, MaxConcurrency: 5, ProvisionedConcurrency: 1 });
const listed = [];
for await (const page of sagemaker.paginateListEndpoints({ client: control, pageSize: 1 }, { NameContains: name })) listed.push(...page.Endpoints.map((e) => e.EndpointName));
assert.deepEqual(listed, [name]);
const model = await control.send(new sagemaker.DescribeModelCommand({ ModelName: name }));
assert.equal(model.PrimaryContainer.ModelDataUrl, PrimaryContainer.ModelDataUrl);
const config = await control.send(new sagemaker.DescribeEndpointConfigCommand({ EndpointConfigName: name }));
assert.deepEqual(config.ProductionVariants, [{ ...variant, InitialVariantWeight: 1 }]);
const models = [], configs = [];
for await (const page of sagemaker.paginateListModels({ client: control }, { NameContains: name, SortBy: "Name", CreationTimeAfter: new Date(0) })) models.push(...page.Models);
for await (const page of sagemaker.paginateListEndpointConfigs({ client: control }, { NameContains: name, CreationTimeBefore: new Date(0) })) configs.push(...page.EndpointConfigs);
assert.deepEqual([models.map((m) => m.ModelArn), configs], [[model.ModelArn], []]);
const ResourceArn = described.EndpointArn, tags = [];
assert.deepEqual((await control.send(new sagemaker.AddTagsCommand({ ResourceArn, Tags: [{ Key: "a", Value: "1" }, { Key: "b", Value: "2" }] }))).Tags.length, 2);
await control.send(new sagemaker.DeleteTagsCommand({ ResourceArn, TagKeys: ["a"] }));
for await (const page of sagemaker.paginateListTags({ client: control }, { ResourceArn })) tags.push(...page.Tags);
assert.deepEqual(tags, [{ Key: "b", Value: "2" }]);
await control.send(new sagemaker.UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName: name, DesiredWeightsAndCapacities: [{ VariantName: "AllTraffic", ServerlessUpdateConfig: { MaxConcurrency: 6, ProvisionedConcurrency: 2 } }] }));
await sagemaker.waitUntilEndpointInService({ client: control, maxWaitTime: 120, minDelay: 1, maxDelay: 1 }, { EndpointName: name });

// ---- invoke ----
const calls = new runtime.SageMakerRuntimeClient(options);
const answer = await calls.send(new runtime.InvokeEndpointCommand({ EndpointName: name, ContentType: "text/csv", Body: row }));
assert.equal(answer.InvokedProductionVariant, "AllTraffic");
const events = await calls.send(new runtime.InvokeEndpointWithResponseStreamCommand({ EndpointName: name, ContentType: "text/csv", Body: row }));
let streamed = "";
for await (const event of events.Body) streamed += text(event.PayloadPart.Bytes);
assert.equal(streamed, text(answer.Body));
const modelError = await refused(calls.send(new runtime.InvokeEndpointCommand({ EndpointName: name, ContentType: "text/csv", Body: "a,b" })), "ModelError", 424, "Received client error (415)");
assert.equal(modelError.OriginalStatusCode, 415);
assert.match(modelError.OriginalMessage, /not a number/);
assert.match(modelError.LogStreamArn, /^arn:aws:logs:/);
await refused(calls.send(new runtime.InvokeEndpointCommand({ EndpointName: "nobody", Body: row })), "ValidationError", 400, `Endpoint nobody of account ${account} not found.`);
await refused(calls.send(new runtime.InvokeEndpointCommand({ EndpointName: name, Body: Buffer.alloc(7 << 20) })), "ValidationError", 400, "oversize body");
const stranger = new runtime.SageMakerRuntimeClient({ ...options, credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "wrong-secret" } });
await refused(stranger.send(new runtime.InvokeEndpointCommand({ EndpointName: name, Body: row })), "InvalidSignatureException", 403, "signature");

// ---- another config, while calls go on ----
await control.send(new sagemaker.CreateEndpointConfigCommand({ EndpointConfigName: `${name}-2`, ProductionVariants: [{ ...variant, ServerlessConfig: { MemorySizeInMB: 3072, MaxConcurrency: 7 } }] }));
let going = true, made = 3; // those above that reached the model
const traffic = (async () => {
  while (going) {
    assert.equal(text((await calls.send(new runtime.InvokeEndpointCommand({ EndpointName: name, ContentType: "text/csv", Body: row }))).Body), text(answer.Body));
    made++;
  }
})();
await control.send(new sagemaker.UpdateEndpointCommand({ EndpointName: name, EndpointConfigName: `${name}-2` }));
await sagemaker.waitUntilEndpointInService({ client: control, maxWaitTime: 120, minDelay: 1, maxDelay: 1 }, { EndpointName: name });
going = false;
await traffic;
const updated = await control.send(new sagemaker.DescribeEndpointCommand({ EndpointName: name }));
assert.equal(updated.EndpointConfigName, `${name}-2`);
assert.deepEqual(updated.ProductionVariants[0].CurrentServerlessConfig, { MemorySizeInMB: 3072, MaxConcurrency: 7 });

// ---- exactly the calls made ----
const monitoring = new cloudwatch.CloudWatchClient(options), hour = 3600000;
const counted = async () => {
  const { Datapoints } = await monitoring.send(new cloudwatch.GetMetricStatisticsCommand({
    Namespace: "AWS/SageMaker", MetricName: "Invocations", Statistics: ["Sum"], Period: 3600, StartTime: new Date(Date.now() - hour), EndTime: new Date(Date.now() + hour),
    Dimensions: [{ Name: "EndpointName", Value: name }, { Name: "VariantName", Value: "AllTraffic" }] }));
  return Datapoints.reduce((sum, p) => sum + p.Sum, 0);
};
for (let i = 0; i < 600 && (await counted()) < made; i++) await new Promise((done) => setTimeout(done, 50)); // reports come once a second
assert.equal(await counted(), made);

// ---- the end ----
await control.send(new sagemaker.DeleteEndpointCommand({ EndpointName: name }));
await sagemaker.waitUntilEndpointDeleted({ client: control, maxWaitTime: 120, minDelay: 1, maxDelay: 1 }, { EndpointName: name });
for (const EndpointConfigName of [name, `${name}-2`]) await control.send(new sagemaker.DeleteEndpointConfigCommand({ EndpointConfigName }));
await refused(control.send(new sagemaker.DescribeEndpointConfigCommand({ EndpointConfigName: name })), "ValidationException", 400, "Could not find endpoint configuration");
await control.send(new sagemaker.DeleteModelCommand({ ModelName: name }));
await objects.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
await objects.send(new s3.DeleteBucketCommand({ Bucket }));
console.log(text(answer.Body).trim());

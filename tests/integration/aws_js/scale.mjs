// Application Auto Scaling with the newest client for JavaScript; tests/integration/test_17_auto_scaling.py runs it.
//   node scale.mjs RESOURCE_ID, with AWS_ENDPOINT and keys in the environment
import assert from "node:assert/strict";

import * as scaling from "@aws-sdk/client-application-auto-scaling";

const [ResourceId] = process.argv.slice(2);
const client = new scaling.ApplicationAutoScalingClient({ endpoint: process.env.AWS_ENDPOINT, region: process.env.AWS_DEFAULT_REGION, maxAttempts: 1 });
const ServiceNamespace = "sagemaker";
const target = { ServiceNamespace, ResourceId, ScalableDimension: "sagemaker:variant:DesiredProvisionedConcurrency" };

async function refused(promise, errorName, status, part) {
  const error = await promise.then(() => assert.fail(`${errorName} was expected`), (e) => e);
  assert.equal(error.name, errorName, String(error));
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.ok(error.message.includes(part), error.message);
}

const { ScalableTargetARN } = await client.send(new scaling.RegisterScalableTargetCommand({ ...target, MinCapacity: 0, MaxCapacity: 2 }));
assert.match(ScalableTargetARN, /^arn:aws:application-autoscaling:.*:scalable-target\//);
const { ScalableTargets } = await client.send(new scaling.DescribeScalableTargetsCommand({ ServiceNamespace, ResourceIds: [ResourceId] }));
assert.equal(ScalableTargets[0].MaxCapacity, 2);
assert.equal(ScalableTargets[0].ScalableTargetARN, ScalableTargetARN);
assert.ok(ScalableTargets[0].CreationTime instanceof Date);

const configuration = { TargetValue: 0.7, PredefinedMetricSpecification: { PredefinedMetricType: "SageMakerVariantProvisionedConcurrencyUtilization" }, ScaleInCooldown: 60, DisableScaleIn: false };
await client.send(new scaling.PutScalingPolicyCommand({ ...target, PolicyName: "js", PolicyType: "TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration: configuration }));
const { ScalingPolicies } = await client.send(new scaling.DescribeScalingPoliciesCommand({ ServiceNamespace, PolicyNames: ["js"] }));
assert.deepEqual(ScalingPolicies[0].TargetTrackingScalingPolicyConfiguration, configuration);

const StartTime = new Date("2030-01-02T03:04:05.500Z");
await client.send(new scaling.PutScheduledActionCommand({ ...target, ScheduledActionName: "js", Schedule: "cron(0 8 * * ? *)", StartTime, ScalableTargetAction: { MinCapacity: 1, MaxCapacity: 2 } }));
const { ScheduledActions } = await client.send(new scaling.DescribeScheduledActionsCommand({ ...target }));
assert.equal(ScheduledActions[0].StartTime.getTime(), StartTime.getTime());
assert.deepEqual(ScheduledActions[0].ScalableTargetAction, { MinCapacity: 1, MaxCapacity: 2 });
const { ScalingActivities } = await client.send(new scaling.DescribeScalingActivitiesCommand({ ServiceNamespace }));
assert.ok(Array.isArray(ScalingActivities));

await client.send(new scaling.DeleteScheduledActionCommand({ ...target, ScheduledActionName: "js" }));
await client.send(new scaling.DeleteScalingPolicyCommand({ ...target, PolicyName: "js" }));
await refused(client.send(new scaling.DeleteScalingPolicyCommand({ ...target, PolicyName: "js" })), "ObjectNotFoundException", 400, "js");
await refused(client.send(new scaling.RegisterScalableTargetCommand({ ...target, MinCapacity: 5, MaxCapacity: 1 })), "ValidationException", 400, "MinCapacity is 5: it must be 0 to MaxCapacity, 1");
await refused(client.send(new scaling.DescribeScalingPoliciesCommand({ ServiceNamespace, NextToken: "other" })), "InvalidNextTokenException", 400, "token");
await client.send(new scaling.DeregisterScalableTargetCommand(target));
await refused(client.send(new scaling.DeregisterScalableTargetCommand(target)), "ObjectNotFoundException", 400, "No scalable target");
console.log("fine");

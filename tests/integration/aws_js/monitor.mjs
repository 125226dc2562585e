// CloudWatch with the newest client for JavaScript (AWS JSON 1.0); tests/integration/test_16_cloudwatch.py runs it.
//   node monitor.mjs NAME, with AWS_ENDPOINT and keys in the environment
import assert from "node:assert/strict";

import * as cloudwatch from "@aws-sdk/client-cloudwatch";

const [name] = process.argv.slice(2);
const options = { endpoint: process.env.AWS_ENDPOINT, region: process.env.AWS_DEFAULT_REGION, maxAttempts: 1 };
const client = new cloudwatch.CloudWatchClient(options);
const Namespace = `Js/${name}`, Dimensions = [{ Name: "Shop", Value: "two" }];
const minute = 60000, start = Math.floor(Date.now() / minute) * minute - 30 * minute;
const at = (i) => new Date(start + i * minute);
const range = { StartTime: at(0), EndTime: at(5) };

async function refused(promise, errorName, code, status, part) {
  const error = await promise.then(() => assert.fail(`${errorName} was expected`), (e) => e);
  assert.equal(error.name, errorName, String(error));
  if (code) assert.equal(error.Code, code);
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.ok(error.message.includes(part), error.message);
}

// ---- values ----
await client.send(new cloudwatch.PutMetricDataCommand({ Namespace, MetricData: [0, 1, 2].map((i) => ({ MetricName: "Orders", Dimensions, Timestamp: at(i), Values: [1, i + 1], Unit: "Count" })) }));
// More than 10 KB: this client packs it.
await client.send(new cloudwatch.PutMetricDataCommand({ Namespace, MetricData: Array.from({ length: 400 }, (_, i) => ({ MetricName: "Many", Dimensions, Timestamp: at(0), Value: i, Unit: "Count" })) }));
await client.send(new cloudwatch.PutMetricDataCommand({ Namespace, MetricData: [{ MetricName: "Set", Timestamp: at(0), StatisticValues: { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 } }] }));
await refused(client.send(new cloudwatch.PutMetricDataCommand({ Namespace: "AWS/Mine", MetricData: [{ MetricName: "m", Value: 1 }] })), "InvalidParameterValueException", "InvalidParameterValue", 400, "AWS/");

// ---- statistics ----
const statistics = await client.send(new cloudwatch.GetMetricStatisticsCommand({ Namespace, MetricName: "Orders", Dimensions, ...range, Period: 60, Statistics: ["Sum", "SampleCount"] }));
assert.equal(statistics.Label, "Orders");
assert.deepEqual(statistics.Datapoints.map((p) => [p.Timestamp.getTime(), p.Sum, p.SampleCount, p.Unit]).sort((a, b) => a[0] - b[0]),
  [[start, 2, 2, "Count"], [start + minute, 3, 2, "Count"], [start + 2 * minute, 4, 2, "Count"]]);
const many = await client.send(new cloudwatch.GetMetricStatisticsCommand({ Namespace, MetricName: "Many", Dimensions, ...range, Period: 300, ExtendedStatistics: ["p50"] }));
assert.ok(Math.abs(many.Datapoints[0].ExtendedStatistics.p50 - 199.5) < 3);
await refused(client.send(new cloudwatch.GetMetricStatisticsCommand({ Namespace, MetricName: "Orders", StartTime: at(5), EndTime: at(0), Period: 60, Statistics: ["Sum"] })),
  "InvalidParameterValueException", "InvalidParameterValue", 400, "StartTime must be less");
await refused(client.send(new cloudwatch.GetMetricStatisticsCommand({ Namespace, MetricName: "Orders", ...range, Period: 60 })),
  "InvalidParameterCombinationException", "InvalidParameterCombination", 400, "At least one");
await refused(client.send(new cloudwatch.GetMetricStatisticsCommand({ Namespace, ...range, Period: 60, Statistics: ["Sum"] })),
  "MissingRequiredParameterException", "MissingParameter", 400, "MetricName");

// ---- data ----
const metric = (Id, MetricName, Stat) => ({ Id, MetricStat: { Metric: { Namespace, MetricName, Dimensions }, Period: 60, Stat } });
const queries = { ...range, ScanBy: "TimestampAscending", MetricDataQueries: [metric("m1", "Orders", "Sum"), metric("m2", "Orders", "Maximum"), { Id: "e1", Expression: "m1 / m2", Label: "share" }] };
const seen = {};
for await (const page of cloudwatch.paginateGetMetricData({ client, pageSize: 2 }, queries)) for (const r of page.MetricDataResults) (seen[r.Id] ??= []).push(...r.Values);
assert.ok(Math.abs(seen.e1.pop() - 4 / 3) < 1e-12);
assert.deepEqual(seen, { m1: [2, 3, 4], m2: [1, 2, 3], e1: [2, 1.5] });
await refused(client.send(new cloudwatch.GetMetricDataCommand({ ...queries, NextToken: "other" })), "InvalidNextToken", undefined, 400, "token");

// ---- lists ----
const names = [];
for await (const page of cloudwatch.paginateListMetrics({ client }, { Namespace })) names.push(...page.Metrics.map((m) => m.MetricName));
assert.deepEqual(names.sort(), ["Many", "Orders", "Set"]);

// ---- alarms ----
const alarm = { AlarmName: name, Namespace, MetricName: "Orders", Dimensions, Statistic: "Sum", Period: 60, EvaluationPeriods: 1, Threshold: 3.5, ComparisonOperator: "GreaterThanThreshold", TreatMissingData: "ignore", AlarmActions: ["arn:aws:sns:x:y:z"] };
await client.send(new cloudwatch.PutMetricAlarmCommand(alarm));
await client.send(new cloudwatch.SetAlarmStateCommand({ AlarmName: name, StateValue: "ALARM", StateReason: "rehearsal" }));
const { MetricAlarms } = await client.send(new cloudwatch.DescribeAlarmsCommand({ AlarmNames: [name] }));
assert.equal(MetricAlarms.length, 1);
for (const [key, value] of Object.entries(alarm)) assert.deepEqual(MetricAlarms[0][key], value);
assert.equal(MetricAlarms[0].StateValue, "ALARM");
assert.ok(MetricAlarms[0].StateUpdatedTimestamp instanceof Date);
await client.send(new cloudwatch.DisableAlarmActionsCommand({ AlarmNames: [name] }));
const forMetric = async () => (await client.send(new cloudwatch.DescribeAlarmsForMetricCommand({ Namespace, MetricName: "Orders", Dimensions, Statistic: "Sum" }))).MetricAlarms.map((a) => [a.AlarmName, a.ActionsEnabled]);
assert.deepEqual(await forMetric(), [[name, false]]);
await client.send(new cloudwatch.EnableAlarmActionsCommand({ AlarmNames: [name] }));
assert.deepEqual(await forMetric(), [[name, true]]);
const { AlarmHistoryItems } = await client.send(new cloudwatch.DescribeAlarmHistoryCommand({ AlarmName: name, HistoryItemType: "StateUpdate" }));
assert.match(AlarmHistoryItems[0].HistorySummary, /ALARM/);
await refused(client.send(new cloudwatch.SetAlarmStateCommand({ AlarmName: "nobody", StateValue: "OK", StateReason: "r" })), "ResourceNotFound", "ResourceNotFound", 404, "nobody");
await client.send(new cloudwatch.DeleteAlarmsCommand({ AlarmNames: [name] }));
assert.equal((await client.send(new cloudwatch.DescribeAlarmsCommand({ AlarmNames: [name] }))).MetricAlarms.length, 0);
console.log("fine");

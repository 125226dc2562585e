// The newest clients for JavaScript, one call a line; tests/lib/aws_js.py writes the calls and reads what the client made of the answers.
//   node caller.mjs, with AWS_ENDPOINT and keys in the environment
//   {"client": "client-s3", "operation": "HeadBucket", "input": {...}}  ->  {"output": {...}} or {"error": {...}}
// What JSON has no word for is an object with one member: {"$date": ms since 1970}, {"$bytes": base64}, {"$events": [...]}.
import { createInterface } from "node:readline";

const options = { endpoint: process.env.AWS_ENDPOINT, region: process.env.AWS_DEFAULT_REGION, maxAttempts: 1, forcePathStyle: true };
const clients = new Map();

async function loaded(name) {
  if (!clients.has(name)) {
    const library = await import(`@aws-sdk/${name}`);
    const [, Client] = Object.entries(library).find(([key]) => key.endsWith("Client") && !key.startsWith("_"));
    clients.set(name, { library, client: new Client(options) });
  }
  return clients.get(name);
}

function given(value) {
  if (Array.isArray(value)) return value.map(given);
  if (value === null || typeof value !== "object") return value;
  if ("$date" in value) return new Date(value.$date);
  if ("$bytes" in value) return Buffer.from(value.$bytes, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, given(inner)]));
}

const bytes = (b) => ({ $bytes: Buffer.from(b).toString("base64") });

async function told(value) {
  if (value instanceof Date) return { $date: value.getTime() };
  if (value instanceof Uint8Array) return bytes(value);
  if (typeof value?.transformToByteArray === "function") return bytes(await value.transformToByteArray());
  if (typeof value?.[Symbol.asyncIterator] === "function") {
    const events = [];
    for await (const event of value) events.push(await told(event));
    return { $events: events };
  }
  if (Array.isArray(value)) return Promise.all(value.map(told));
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (value === null || typeof value !== "object") return value;
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return { $class: value.constructor.name };
  const out = {};
  for (const [key, inner] of Object.entries(value)) out[key] = inner === undefined ? { $undefined: true } : await told(inner);
  return out;
}

// The members of an error that its operation's model gives it, beside what all errors have.
const COMMON = ["name", "message", "$fault", "$metadata", "$response", "$retryable", "$service", "stack"];

async function failure(error) {
  const members = {};
  for (const key of Object.getOwnPropertyNames(error)) if (!COMMON.includes(key) && error[key] !== undefined) members[key] = await told(error[key]);
  return { name: error.name, fault: error.$fault, message: error.message, status: error.$metadata?.httpStatusCode, request: error.$metadata?.requestId, members,
    modelled: Object.getPrototypeOf(error).constructor.name };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { client: name, operation, input } = JSON.parse(line);
  let answer;
  try {
    const { library, client } = await loaded(name);
    const { $metadata, ...output } = await client.send(new library[`${operation}Command`](given(input)));
    answer = { output: await told(output), status: $metadata.httpStatusCode, request: $metadata.requestId };
  } catch (error) {
    answer = { error: await failure(error) };
  }
  console.log(JSON.stringify(answer));
}

// The members of operations' inputs as the newest client knows them; tests/integration/test_19_service_models.py compares.
//   node members.mjs CLIENT OPERATION...      {"CreateModel": ["ModelName", "PrimaryContainer", "PrimaryContainer.Image", ...], ...}
const [client, ...operations] = process.argv.slice(2);
const schemas = await import(`@aws-sdk/${client}`);
const [LIST, MAP, STRUCTURE] = [1, 2, 3];

// A schema is an array that starts with its kind; a reference to one is a function, or an array with one in front.
function resolved(reference) {
  if (Array.isArray(reference) && typeof reference[0] === "function") return resolved(reference[0]);
  return typeof reference === "function" ? resolved(reference()) : reference;
}

function walk(reference, path, seen, out) {
  const schema = resolved(reference);
  if (!Array.isArray(schema)) return;
  const [kind, , name] = schema;
  if (kind === LIST) return walk(schema[4], `${path}[]`, seen, out);
  if (kind === MAP) return walk(schema[5], `${path}.{value}`, seen, out);
  if (kind !== STRUCTURE || seen.includes(name)) return;
  schema[4].forEach((member, i) => {
    const inner = path ? `${path}.${member}` : member;
    out.push(inner);
    walk(schema[5][i], inner, [...seen, name], out);
  });
}

const result = {};
for (const operation of operations) {
  const operationSchema = resolved(schemas[`${operation}$`]);
  walk(operationSchema[4], "", [], (result[operation] = []));
}
console.log(JSON.stringify(result));

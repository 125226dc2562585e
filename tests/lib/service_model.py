"""AWS service models as botocore ships them, taken as what a server is checked against.

    slots(operation)            every place of an operation's input: each member, list item, map key and value, at any depth
    placed(operation, slot, v)  the smallest input that has 'v' at that place, everything required around it being valid
    bad_values(slot)            a value for each rule that the model has for the place, with the words by which AWS refuses it
    problems(shape, value)      what an answer, as it stood in the body, has wrong: missing, mistyped, unknown, out of its enumeration
    check_answer                boto3's clients of the tests (aws.py) pass every answer through it

The model is the installed botocore's own: when Debian's moves on, the checks move with it.
"""
import bisect
import collections
import dataclasses
import functools
import json
import re
import re._constants as sre
import re._parser as sre_parse

import botocore.loaders
import botocore.model

_loader = botocore.loaders.Loader()
ITEM, KEY, VALUE = "[]", "{key}", "{value}"


def service(name):
    return botocore.model.ServiceModel(_loader.load_service_model(name, "service-2"), name)


# ---- places ----

@dataclasses.dataclass(frozen=True)
class Slot:
    steps: tuple          # of member names, ITEM, KEY, VALUE
    shape: object = dataclasses.field(compare=False, hash=False)
    required: bool = dataclasses.field(compare=False)

    def __str__(self):
        return ".".join(self.steps).replace(".[]", "[]")

    @property
    def told(self):
        """As AWS names the place in its messages: camelCase, lists counted from 1."""
        out = []
        for step in self.steps:
            out.append({ITEM: "1.member", KEY: "K.key", VALUE: "K.member"}.get(step) or step[0].lower() + step[1:])
        return ".".join(out)


def slots(operation):
    return list(_slots(operation.input_shape, (), ())) if operation.input_shape else []


def _slots(shape, steps, seen):
    if shape.name in seen:
        return  # a shape within itself: its members have been walked
    seen = seen + (shape.name,)
    for inner, step, required in _inside(shape):
        yield Slot(steps + (step,), inner, required)
        yield from _slots(inner, steps + (step,), seen)


def _inside(shape):
    if shape.type_name == "structure":
        return [(member, name, name in shape.required_members) for name, member in shape.members.items()]
    if shape.type_name == "list":
        return [(shape.member, ITEM, False)]
    if shape.type_name == "map":
        return [(shape.key, KEY, False), (shape.value, VALUE, False)]
    return []


ABSENT = object()


def placed(operation, slot, value, base=None):
    """'base' gives whole members of the input that a valid call needs beside the required ones."""
    return _placed(operation.input_shape, slot.steps, value, base or {})


def _placed(shape, steps, value, base=None):
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if shape.type_name == "structure":
        out = {**_required(shape), **(base or {})}
        inner = _placed(shape.members[step], rest, value, out.get(step) if isinstance(out.get(step), dict) and rest else None)
        out.pop(step, None)
        if inner is not ABSENT:
            out[step] = inner
        return out
    if shape.type_name == "list":
        return [_placed(shape.member, rest, value)]
    if step == KEY:
        return {value: example(shape.value)}
    return {"K": _placed(shape.value, rest, value)}


def _required(shape):
    return {name: example(shape.members[name]) for name in shape.required_members}


def example(shape):
    """The smallest valid value."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        return _required(shape)
    if kind == "list":
        return [example(shape.member)] * max(rules.get("min", 0), 1)
    if kind == "map":
        return {}
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return 1770768000
    if kind in ("integer", "long", "float", "double"):
        return max(rules.get("min", 0), 1)
    if getattr(shape, "enum", None):
        return shape.enum[0]
    return text_of(rules.get("pattern"), rules.get("min", 0), rules.get("max"))


# ---- texts that fit a pattern ----

def regex(pattern):
    """Java's classes as Python's; anchored, as AWS means it."""
    for java, python in ((r"\p{Print}+", "[ -~]+"), (r"\p{L}", "a-zA-Z"), (r"\p{Z}", " "), (r"\p{N}", "0-9"), (r"\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t", r"\r\n\t -~")):
        pattern = pattern.replace(java, python)
    return re.compile(rf"(?:{pattern})\Z")


@functools.cache
def text_of(pattern, least, most, long=False):
    """A text of about the least (or, when 'long', the greatest) length that fits; None when none was found."""
    least, goal = max(least, 1), (most if long else max(least, 1))
    if not pattern:
        return "x" * goal
    parsed = sre_parse.parse(regex(pattern).pattern)
    lengths = bisect.bisect_left(range(goal + 1), goal, key=lambda repeats: len(_text(parsed, repeats)))  # more repeats, more text
    for repeats in range(lengths, -1, -1):
        text = _text(parsed, repeats)
        if least <= len(text) <= (most or 1 << 30) and regex(pattern).match(text):
            return text
    return None


def _text(parsed, repeats):
    out = ""
    for op, what in parsed:
        if op is sre.LITERAL:
            out += chr(what)
        elif op is sre.ANY:
            out += "x"
        elif op is sre.NOT_LITERAL:
            out += "y" if what != ord("y") else "z"
        elif op is sre.IN:
            out += _one_of(what)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            low, high, inner = what
            out += "".join(_text(inner, 0) for _ in range(min(max(low, repeats), high if high is not sre.MAXREPEAT else 1 << 30)))
        elif op is sre.SUBPATTERN:
            out += _text(what[-1], repeats)
        elif op is sre.BRANCH:
            out += _text(what[1][0], repeats)
        elif op not in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):  # what they ask is seen when the whole is matched
            raise NotImplementedError(f"{op} in a pattern")
    return out


def _one_of(items):
    if items[0][0] is sre.NEGATE:
        return "y"
    for op, what in items:
        if op is sre.RANGE:
            return chr(what[0])
        if op is sre.LITERAL:
            return chr(what)
        if op is sre.CATEGORY:
            return {sre.CATEGORY_DIGIT: "0", sre.CATEGORY_SPACE: " "}.get(what, "x")
    raise NotImplementedError(str(items))


# ---- values that the model forbids ----

TYPES = {"structure": 5, "list": {"a": 1}, "map": "text", "boolean": [1], "string": {"a": 1}, "timestamp": {"a": 1}, "integer": "text", "long": "text", "float": {"a": 1}, "double": {"a": 1}}


def bad_values(slot):
    """(value, words) for each rule; words None: it is of the wrong type, which is told in other words."""
    shape, kind, rules = slot.shape, slot.shape.type_name, slot.shape.metadata
    if slot.steps[-1] != KEY:
        yield TYPES[kind], None
    if slot.required:
        yield ABSENT, "Member must not be null"
    if kind in ("integer", "long", "float", "double"):
        yield from _out_of_range(rules, "value", lambda n: n)
    elif kind == "string":
        if getattr(shape, "enum", None):
            yield "No-such-value", "Member must satisfy enum value set: ["
            return
        yield from _out_of_range(rules, "length", lambda n: "x" * n)
        if (bad := _misfit(rules)) is not None:
            yield bad, "Member must satisfy regular expression pattern: "
    elif kind == "list":
        yield from _out_of_range(rules, "length", lambda n: [example(shape.member)] * n)
    elif kind == "map":
        yield from _out_of_range(rules, "length", lambda n: {f"{example(shape.key)}{i}": example(shape.value) for i in range(n)})


def _out_of_range(rules, what, make):
    if rules.get("min", 0) >= 1:
        yield make(rules["min"] - 1), f"Member must have {what} greater than or equal to {rules['min']}"
    if "max" in rules:
        yield make(rules["max"] + 1), f"Member must have {what} less than or equal to {rules['max']}"


def _misfit(rules):
    if not rules.get("pattern"):
        return None
    for bad in ("a b", "-!-", ":a", "\x01", "", " "):
        bad = bad.ljust(rules.get("min", 0), bad[-1:] or "x")
        if len(bad) <= rules.get("max", 1 << 30) and not regex(rules["pattern"]).match(bad):
            return bad
    return None


def limits(slot):
    """Values that just fit."""
    shape, kind, rules = slot.shape, slot.shape.type_name, slot.shape.metadata
    if kind in ("integer", "long"):
        return [rules[end] for end in ("min", "max") if end in rules]
    if kind == "string" and getattr(shape, "enum", None):
        return list(shape.enum)
    if kind == "string" and rules.get("max", 1 << 30) <= 8192:
        texts = [text_of(rules.get("pattern"), rules.get("min", 0), rules["max"], long=True), text_of(rules.get("pattern"), rules.get("min", 0), rules["max"])]
        return [t for t in texts if t is not None]
    if kind == "list" and "max" in rules:
        return [[example(shape.member)] * rules["max"]]
    return []


# ---- answers ----

# Members of answers that are younger than the installed model.
YOUNGER = {"ProvisionedConcurrency", "ModelDataSource", "AdditionalModelDataSources", "ContainerMetricsConfig", "VpcConfig", "ExecutionRoleArn", "EnableNetworkIsolation", "MetricsConfig",
           "RollingUpdatePolicy", "ScalableTargetARN", "logGroupArn"}
YOUNGER_VALUES = {"sagemaker:variant:DesiredProvisionedConcurrency", "SageMakerVariantProvisionedConcurrencyUtilization"}
# What answers have held so far: {(service, operation): places}
seen = collections.defaultdict(set)


def check_answer(http_response, parsed, model, **_):
    """A client forgives much: a required member that is missing, a number that is a text. Here it is an error, with its place."""
    shape = model.output_shape
    if http_response.status_code >= 300 or shape is None:
        return
    service = model.service_model.service_name
    is_json = model.service_model.metadata["protocol"] == "json"
    value = json.loads(http_response.content or "{}") if is_json else {k: v for k, v in parsed.items() if k != "ResponseMetadata" and v is not None}
    wrong = [p for p in problems(shape, value, parsed=not is_json) if not p.endswith(" is unknown") or p.split()[0].rpartition(".")[2] not in YOUNGER]
    # A model without a role is possible for newer clients alone.
    wrong = [p for p in wrong if p != ".ExecutionRoleArn is missing"]
    assert not wrong, f"{service} {model.name}: {wrong}"
    seen[service, model.name].update(members(shape, value))

PYTHON = {"structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float),
          "timestamp": (int, float), "blob": str}


def problems(shape, value, path="", parsed=False):
    """'parsed': as the client gives it, with datetimes; else as it stood in a JSON body. Members that the model does not know are told as 'unknown'."""
    kind = shape.type_name
    if not (parsed and kind in ("timestamp", "blob")):
        if not isinstance(value, PYTHON[kind]) or (isinstance(value, bool) and kind != "boolean"):
            yield f"{path} is {value!r}, no {kind}"
            return
    if kind == "structure":
        yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
        for name, inner in value.items():
            if name in shape.members:
                yield from problems(shape.members[name], inner, f"{path}.{name}", parsed)
            elif name != "ResponseMetadata":
                yield f"{path}.{name} is unknown"
    elif kind == "list":
        for inner in value:
            yield from problems(shape.member, inner, f"{path}[]", parsed)
    elif kind == "map":
        for key, inner in value.items():
            yield from problems(shape.value, inner, f"{path}{{}}", parsed)
    elif kind == "string" and getattr(shape, "enum", None) and value not in shape.enum and value not in YOUNGER_VALUES:
        yield f"{path} is {value!r}: not one of {shape.enum}"


def members(shape, value, path=""):
    """The places of 'shape' that 'value' fills."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name in shape.members:
                yield f"{path}{name}"
                yield from members(shape.members[name], inner, f"{path}{name}.")
    elif shape.type_name == "list":
        for inner in value:
            yield from members(shape.member, inner, path)
    elif shape.type_name == "map":
        for inner in value.values():
            yield from members(shape.value, inner, path)


def all_members(shape, path="", seen=()):
    if shape.name in seen:
        return
    seen = seen + (shape.name,)
    for inner, step, _ in _inside(shape):
        if step in (ITEM, KEY, VALUE):
            yield from all_members(inner, path, seen)
        else:
            yield f"{path}{step}"
            yield from all_members(inner, f"{path}{step}.", seen)

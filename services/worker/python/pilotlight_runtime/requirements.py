"""Checks a requirements.txt against what this interpreter and the archive's vendored folder have. Nothing is ever downloaded.

Understood: names with extras, version comparisons, environment markers made of comparisons with 'and', 'or' and parentheses, comments,
continued lines. Options (-r, --hash) and addresses (git+https://..., ./folder) cannot be checked, and are refused with their line.
"""

import os
import platform
import re
import sys
from importlib import metadata

_LINE = re.compile(r"^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(\(?\s*[<>=!~][^;@]*?)?\s*(?:;(.*))?$")
_CLAUSE = re.compile(r"^(===|==|!=|~=|<=|>=|<|>)\s*([A-Za-z0-9.*+!_-]+)$")
_VERSION = re.compile(
    r"^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?"
    r"(?:(?:[-_.]?(post|rev|r)[-_.]?(\d*))|-(\d+))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9._-]+))?$",
    re.IGNORECASE,
)
_MARKER_TOKEN = re.compile(r"\s*(\(|\)|and\b|or\b|not\s+in\b|in\b|===|==|!=|~=|<=|>=|<|>|[a-z_]+|'[^']*'|\"[^\"]*\")", re.IGNORECASE)
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}


class Unsatisfied(Exception):
    """Names the requirement and what is here instead."""


def _version(text):
    """A key that orders versions as PEP 440 does (local parts aside); None when it is no version."""
    m = _VERSION.match(text.strip())
    if not m:
        return None
    release = tuple(int(part) for part in m.group(2).split("."))
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    dev = int(m.group(9) or 0) if m.group(8) else float("inf")
    post = int(m.group(6) or m.group(7) or 0) if m.group(5) or m.group(7) else -1
    if m.group(3):
        pre = (_PRE[m.group(3).lower()], int(m.group(4) or 0))
    else:
        # A bare development release comes before every pre-release of its version.
        pre = (-1, 0) if m.group(8) and post < 0 else (9, 0)
    return int(m.group(1) or 0), release, pre, post, dev


def _release(text):
    return [int(part) for part in re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", text).group(1).split(".")]


def _has_prefix(have, prefix):
    wanted = _release(prefix)
    got = _release(have)
    got += [0] * (len(wanted) - len(got))
    return got[: len(wanted)] == wanted


def _compare(have, operator, wanted):
    """False also when one of them is no version at all."""
    if operator == "===":
        return have == wanted
    if wanted.endswith(".*") and operator in ("==", "!="):
        if _version(have) is None or _version(wanted[:-2]) is None:
            return False
        return _has_prefix(have, wanted[:-2]) == (operator == "==")
    a, b = _version(have), _version(wanted)
    if a is None or b is None:
        return False
    if operator == "~=":
        parts = _release(wanted)
        return len(parts) > 1 and a >= b and _has_prefix(have, ".".join(str(p) for p in parts[:-1]))
    return {"==": a == b, "!=": a != b, "<=": a <= b, ">=": a >= b, "<": a < b, ">": a > b}[operator]


def _marker_values():
    v = sys.version_info
    return {
        "python_version": "%d.%d" % v[:2],
        "python_full_version": platform.python_version(),
        "sys_platform": sys.platform,
        "platform_system": platform.system(),
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_version": platform.version(),
        "platform_python_implementation": platform.python_implementation(),
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "extra": "",
    }


class _Marker:
    """marker = term ('or' term)*;  term = factor ('and' factor)*;  factor = '(' marker ')' | value operator value."""

    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.strip()
        while at < len(text):
            m = _MARKER_TOKEN.match(text, at)
            if not m:
                raise ValueError(text)
            self.tokens.append(m.group(1))
            at = m.end()
        self.at = 0
        self.values = _marker_values()

    def _peek(self):
        return self.tokens[self.at].lower() if self.at < len(self.tokens) else ""

    def _take(self):
        if self.at >= len(self.tokens):
            raise ValueError("a marker ends early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _value(self):
        token = self._take()
        if token[0] in "'\"":
            return token[1:-1]
        if token not in self.values:
            raise ValueError(token)
        return self.values[token]

    def _factor(self, depth):
        if self._peek() == "(" and depth < 16:
            self._take()
            result = self._either(depth + 1)
            if self._take() != ")":
                raise ValueError("a marker's parenthesis is not closed")
            return result
        left, operator, right = self._value(), " ".join(self._take().lower().split()), self._value()
        if operator in ("in", "not in"):
            return (left in right) == (operator == "in")
        if _version(left) is not None and _version(right.replace(".*", "")) is not None:
            return _compare(left, operator, right)
        return {"==": left == right, "!=": left != right, "<": left < right, "<=": left <= right,
                ">": left > right, ">=": left >= right}[operator]  # fmt: skip

    def _both(self, depth):
        result = self._factor(depth)
        while self._peek() == "and":
            self._take()
            result = self._factor(depth) and result
        return result

    def _either(self, depth):
        result = self._both(depth)
        while self._peek() == "or":
            self._take()
            result = self._both(depth) or result
        return result

    def holds(self):
        result = self._either(0)
        if self.at != len(self.tokens):
            raise ValueError(self.tokens[self.at])
        return result


def _lines(text):
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if line:
            yield line


def _clauses(text, line):
    for part in text.strip("() ").split(","):
        m = _CLAUSE.match(part.strip())
        if not m and part.strip():
            raise Unsatisfied("requirements.txt: cannot read the version in '%.100s'" % line)
        if m:
            yield m.group(1), m.group(2)


def _check_line(line, interpreter):
    m = _LINE.match(line)
    if not m or line.startswith("-"):
        raise Unsatisfied(
            "requirements.txt: '%.100s' is not a package name with versions: nothing is downloaded here, so that cannot be met" % line
        )
    name, versions, marker = m.group(1), m.group(2) or "", m.group(3)
    try:
        if marker and not _Marker(marker).holds():
            return
    except (ValueError, KeyError):
        raise Unsatisfied("requirements.txt: cannot read the condition in '%.100s'" % line) from None
    try:
        have = metadata.version(name)
    except metadata.PackageNotFoundError:
        raise Unsatisfied(
            "requirements.txt asks for '%.100s', but %s is not installed in this runtime (%s): nothing is downloaded at start;"
            " put it beside the code with 'pip install --target code/vendor %s', or ask the operator" % (line, name, interpreter, name)
        ) from None
    for operator, wanted in _clauses(versions, line):
        if not _compare(have, operator, wanted):
            raise Unsatisfied("requirements.txt asks for '%.100s', but this runtime (%s) has %s %s" % (line, interpreter, name, have))


def check(path):
    """Unsatisfied when a line of the file at 'path' does not hold here; no file is fine."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read(1 << 20)
    except FileNotFoundError:
        return
    interpreter = "python %s" % platform.python_version()
    for line in _lines(text):
        _check_line(line, interpreter)

"""requirements.txt is checked, never installed."""
import sys

import pytest
from pilotlight_runtime import requirements


def check(tmp_path, text):
    path = tmp_path / "requirements.txt"
    path.write_text(text)
    requirements.check(path)


ORDER = ["0.9", "1.0.dev1", "1.0a1.dev2", "1.0a1", "1.0a2", "1.0b1", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.1.dev1", "1.1", "1.10", "2", "1!0.1"]


def test_versions_are_ordered():
    keys = [requirements._version(v) for v in ORDER]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)
    assert requirements._version("1.0") == requirements._version("v1.0.0") == requirements._version("1.0+local.7")
    assert requirements._version("one") is None


@pytest.mark.parametrize("text", [
    "",
    "# nothing\n\n   # at all\n",
    "numpy\nscikit-learn\n",
    "numpy>=1.20  # fast\n",
    "scikit_learn[tests] (>=1.0)\n",
    "NumPy != 1.0.*, <100\n",
    "numpy>=1.20, \\\n   <100\n",
    "no-such-package; python_version < '3'\n",
    "no-such-package; sys_platform == 'win32' or (os_name == 'nt' and python_version >= '3.0')\n",
    "numpy; python_version >= '3.6' and 'linux' in sys_platform\n",
])  # fmt: skip
def test_satisfied(tmp_path, text):
    check(tmp_path, text)


@pytest.mark.parametrize("text, reason", [
    ("no-such-package>=2\n", "asks for 'no-such-package>=2', but no-such-package is not installed in this runtime"),
    ("numpy\nno-such-package\n", "'no-such-package'"),
    ("numpy==0.1\n", "asks for 'numpy==0.1', but this runtime (python %d.%d" % sys.version_info[:2]),
    ("numpy~=0.9\n", "has numpy "),
    ("numpy>=99\n", "has numpy "),
    ("numpy===x\n", "has numpy "),
    ("no-such-package; python_version >= '3'\n", "not installed"),
    ("-r more.txt\n", "'-r more.txt' is not a package name with versions"),
    ("git+https://host/repo.git\n", "is not a package name with versions"),
    ("numpy @ https://host/numpy.whl\n", "is not a package name with versions"),
    ("./folder\n", "is not a package name with versions"),
    ("numpy=1.0\n", "cannot read the version"),
    ("numpy>=\n", "cannot read the version"),
    ("numpy; no_such_marker == '1'\n", "cannot read the condition"),
    ("numpy; python_version >\n", "cannot read the condition"),
    ("numpy; " + "(" * 50 + "\n", "cannot read the condition"),
])  # fmt: skip
def test_unsatisfied(tmp_path, text, reason):
    with pytest.raises(requirements.Unsatisfied) as e:
        check(tmp_path, text)
    assert reason in str(e.value)


def test_no_file_asks_for_nothing(tmp_path):
    requirements.check(tmp_path / "requirements.txt")

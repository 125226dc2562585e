"""Which XGBoost the build takes: deploy/cmake/xgboost.cmake in a project of its own, with libraries made here that have every function
which the runner calls. A newer one than Debian's has to be found, told and linked, one that is too old to be refused."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
CALLED = sorted(set(re.findall(r"\b(XG[A-Z]\w+|XGBoost[A-Z]\w+)\(", (ROOT / "services/worker/runner/booster.c").read_text())))

PROJECT = f"""cmake_minimum_required(VERSION 3.25)
project(choice LANGUAGES C)
list(APPEND CMAKE_MODULE_PATH {ROOT}/deploy/cmake)
find_package(PkgConfig REQUIRED)
include(xgboost)
add_executable(choice choice.c)
target_link_libraries(choice PRIVATE pl_xgboost)
"""

PROGRAM = """#include <stdio.h>
#include <xgboost/c_api.h>
#define CALLED(f) int f();
EVERY
#undef CALLED
#define CALLED(f) (void *)f,
int main(void)
{
    void *called[] = { EVERY };
    int v[3];

    XGBoostVersion(v, v + 1, v + 2);
    return printf("%d.%d.%d by %d.%d.%d, %zu", v[0], v[1], v[2], XGBOOST_VER_MAJOR, XGBOOST_VER_MINOR, XGBOOST_VER_PATCH,
                  sizeof(called) / sizeof(called[0])) < 0;
}
"""


def installed(prefix, version, lib="lib", pc=True):
    """A library of that version under the prefix."""
    major, minor, patch = version.split(".")
    headers, library = prefix / "include" / "xgboost", prefix / lib
    headers.mkdir(parents=True)
    (library / "pkgconfig").mkdir(parents=True)
    (headers / "version_config.h").write_text(
        f"#define XGBOOST_VER_MAJOR {major} /* MAJOR */\n#define XGBOOST_VER_MINOR {minor} /* MINOR */\n"
        f"#define XGBOOST_VER_PATCH {patch} /* PATCH */\n")
    (headers / "c_api.h").write_text('#include "version_config.h"\nvoid XGBoostVersion(int *major, int *minor, int *patch);\n')
    source = prefix / "library.c"
    source.write_text(f"void XGBoostVersion(int *a, int *b, int *c) {{ *a = {major}; *b = {minor}; *c = {patch}; }}\n" +
                      "".join(f"int {f}(void) {{ return 0; }}\n" for f in CALLED if f != "XGBoostVersion"))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library / "libxgboost.so", source], check=True)
    if pc:  # as XGBoost's own build writes it, whatever the folder is called
        (library / "pkgconfig" / "xgboost.pc").write_text(f"prefix={prefix}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\nName: xgboost\n"
                                                          f"Description: XGBoost\nVersion: {version}\nCflags: -I${{includedir}}\nLibs: -L${{libdir}} -lxgboost\n")
    return prefix


class Project:
    def __init__(self, folder):
        self.folder = folder
        (folder / "CMakeLists.txt").write_text(PROJECT)
        every = " ".join(f"CALLED({f})" for f in CALLED if f != "XGBoostVersion")
        (folder / "choice.c").write_text(PROGRAM.replace("EVERY", every))

    def configure(self, *options, **environment):
        own = {k: v for k, v in os.environ.items() if k not in ("PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH", "LD_LIBRARY_PATH", "XGBOOST_ROOT")}
        told = subprocess.run(["cmake", "-G", "Ninja", "-S", self.folder, "-B", self.folder / "build", *options], capture_output=True, text=True,
                              env=own | environment)
        return told.returncode == 0, re.sub(r"\s+", " ", told.stdout + told.stderr)

    def runs(self):
        subprocess.run(["cmake", "--build", self.folder / "build"], check=True, capture_output=True)
        clean = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
        return subprocess.run([self.folder / "build" / "choice"], check=True, capture_output=True, text=True, env=clean).stdout


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


def of(version):
    return f"{version} by {version}, {len(CALLED) - 1}"


def test_the_one_that_is_asked_for_is_told_linked_and_found_again(project, tmp_path):
    """Also in a build folder that had another one; the program needs no LD_LIBRARY_PATH."""
    assert len(CALLED) > 15
    for version in ("2.91.3", "3.92.4"):
        root = installed(tmp_path / version, version, pc=False)
        done, told = project.configure(f"-DXGBOOST_ROOT={root}")
        assert done and f"XGBoost {version}: {root}/lib/libxgboost.so" in told, told
        assert project.runs() == of(version)
    done, told = project.configure()
    assert done and "XGBoost 3.92.4: " in told  # it remembers


@pytest.mark.parametrize("told_by", ["PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH"])
def test_a_newer_one_that_is_found_first_is_taken(project, tmp_path, told_by):
    """Without a word to us, and where the library is not in the folder that its file for pkg-config names."""
    prefix = installed(tmp_path / "newer", "3.92.4", lib="lib64", pc=told_by == "PKG_CONFIG_PATH")
    done, told = project.configure(**{told_by: f"{prefix}/lib64/pkgconfig" if told_by == "PKG_CONFIG_PATH" else str(prefix)})
    assert done and f"XGBoost 3.92.4: {prefix}/lib64/libxgboost.so" in told, told
    assert project.runs() == of("3.92.4")


def test_an_older_one_is_refused_and_the_oldest_that_does_is_named(project, tmp_path):
    old = installed(tmp_path / "old", "1.6.2")
    done, told = project.configure(f"-DXGBOOST_ROOT={old}")
    assert not done
    assert f"XGBoost 1.6.2 ({old}/lib/libxgboost.so) is too old: 1.7.0 or newer is needed. XGBOOST_ROOT=DIR chooses another" in told, told


def test_no_other_is_taken_for_the_one_that_is_asked_for(project, tmp_path):
    root = installed(tmp_path / "half", "3.92.4")
    (root / "lib" / "libxgboost.so").unlink()
    done, told = project.configure(f"-DXGBOOST_ROOT={root}")
    assert not done and f"XGBOOST_ROOT is '{root}', which has no libxgboost." in told, told
    done, told = project.configure(f"-DXGBOOST_ROOT={tmp_path}/none")
    assert not done and f"XGBOOST_ROOT is '{tmp_path}/none', which has no header xgboost/c_api.h." in told, told
    installed(tmp_path / "whole", "3.92.4")
    (tmp_path / "whole" / "include" / "xgboost" / "version_config.h").write_text("")
    done, told = project.configure(f"-DXGBOOST_ROOT={tmp_path}/whole")
    assert not done and "does not tell XGBoost's version" in told, told


def test_the_build_hands_it_on_from_the_environment(tmp_path):
    """deploy/build, with a cmake that only notes what it is asked for."""
    fake = tmp_path / "cmake"
    fake.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\nmkdir -p {tmp_path}/out\necho "-- XGBoost 9.9.9: there"\n')
    fake.chmod(0o755)
    command = [ROOT / "deploy" / "build", "--no-install", "--dir", tmp_path / "out"]
    environment = {k: v for k, v in os.environ.items() if k != "XGBOOST_ROOT"} | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run(command, env=environment | {"XGBOOST_ROOT": "/some where"}, check=True, capture_output=True, text=True).stdout
    assert "-DXGBOOST_ROOT=/some where" in (tmp_path / "asked").read_text() and told.startswith("XGBoost 9.9.9: there\n")
    (tmp_path / "asked").unlink()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert "XGBOOST_ROOT" not in (tmp_path / "asked").read_text()

"""The rules of the layout: imports point one way, packages meet at their front doors."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from lupa.lua54 import LuaRuntime

import lua_api
import specs
import supervise
import supervise.testing
from tests.kernel_state import preload

ROOT = Path(specs.__file__).parent.parent

# What each package may import besides itself and the standard library.
ALLOWED = {
    "specs": {"attr", "attrs", "cattrs"},
    "lua_api": {"attrs", "lupa", "msgspec", "specs", "tzlocal"},
    "supervise": {"attrs", "click", "lua_api", "msgspec", "outcome", "rich", "specs", "trio"},
    "pytest_supervise": {"hypothesis", "pytest", "supervise", "trio"},
}
DOORS = {*ALLOWED, "supervise.testing"}
# The testing kit is for whoever tests: it stands on the whole package, which must not need it.
TESTING = ROOT / "supervise" / "testing"
FOR_TESTING = {"hypothesis", "pytest"}
STANDARD = sys.stdlib_module_names


def modules(package):
    examples = ROOT / "specs" / "examples"
    for path in sorted((ROOT / package).rglob("*.py")):
        if examples not in path.parents:
            yield path


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package):
    for path in modules(package):
        allowed = ALLOWED[package] | (FOR_TESTING if TESTING in path.parents else set())
        for name in imports(path):
            top = name.split(".")[0]
            assert top in STANDARD or top == package or top in allowed, f"{path}: {name}"


def test_nothing_needs_the_testing_kit():
    for package in ("specs", "lua_api", "supervise"):
        for path in modules(package):
            if TESTING not in path.parents:
                for name in imports(path):
                    assert not name.startswith("supervise.testing"), f"{path}: {name}"


def test_a_simulation_needs_no_hypothesis():
    """`supervise.testing` itself can be used where the extra is not installed."""
    done = subprocess.run(
        [sys.executable, "-c", "import supervise.testing, sys; print('hypothesis' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_meet_at_their_front_doors(package):
    ours = set(ALLOWED) - {package}
    for path in modules(package):
        for name in imports(path):
            assert name.split(".")[0] not in ours or name in DOORS, f"{path}: {name}"


@pytest.mark.parametrize(
    "module", [specs, lua_api, supervise, supervise.testing], ids=lambda module: module.__name__
)
def test_every_public_name_is_there_and_documented(module):
    for name in module.__all__:
        value = getattr(module, name)
        assert value.__doc__ or not (inspect.isclass(value) or inspect.isroutine(value)), name


def test_the_kernel_and_the_api_set_no_global():
    state = LuaRuntime(encoding=None)
    preload(state)
    state.execute(
        b"""
        setmetatable(_G, { __newindex = function(_, name) error("global '" .. name .. "' is set") end })
        require("kernel.zones").provide("Local", { { 0, 0, "UTC" } })
        require("kernel")
        """
    )


def test_each_file_says_what_it_is():
    for package in ALLOWED:
        for path in modules(package):
            assert ast.get_docstring(ast.parse(path.read_text())), path
    for path in (ROOT / "lua_api").rglob("*.lua"):
        assert path.read_text().startswith("---"), path

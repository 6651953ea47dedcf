"""The rules of the layout: imports point one way, packages meet at their front doors."""

from __future__ import annotations

import ast
import inspect
import os
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
    "lua_api": {"lupa", "msgspec", "specs", "tzlocal"},
    "supervise": {
        *{"attrs", "click", "lua_api", "msgspec", "outcome", "rich", "specs", "trio", "watchfiles"}
    },
}
DOORS = set(ALLOWED)
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
    for package in ALLOWED:
        for path in modules(package):
            if TESTING not in path.parents:
                for name in imports(path):
                    assert not name.startswith("supervise.testing"), f"{path}: {name}"


def test_a_simulation_needs_no_hypothesis():
    """`simulate` can be used where the extra is not installed."""
    program = "import sys; from supervise.testing import check, simulate; print('hypothesis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"


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


@pytest.mark.parametrize(
    "module", [specs, lua_api, supervise, supervise.testing], ids=lambda module: module.__name__
)
def test_a_front_door_tells_type_checkers_what_it_gives(module):
    tree = ast.parse(Path(module.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    table = next(node for node in ast.walk(block) if isinstance(node, ast.Dict))
    shown = {
        (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    given = {(where, name) for where, names in ast.literal_eval(table).items() for name in names}
    assert shown == given
    assert {name for _, name in given} | {"lazy_names"} >= set(module.__all__)
    assert {name for _, name in given} <= {*module.__all__}
    assert set(module.__all__) <= set(dir(module))


def test_a_name_that_a_package_does_not_have_is_named():
    with pytest.raises(AttributeError, match="module 'supervise' has no attribute 'open_nod'"):
        supervise.open_nod  # noqa: B018


OPEN = """
import sys, trio
from supervise import open_node

async def main():
    async with open_node() as node:
        node.processes()

trio.run(main)
print(*sorted(sys.modules))
"""


def test_a_node_without_supervisors_imports_nothing_of_them():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", OPEN], capture_output=True, text=True, check=True, env=environment
    )
    loaded = set(ran.stdout.split())
    assert "supervise._node" in loaded
    assert not loaded & {"cattrs", "rich", "click", "supervise._supervisor", "specs._supervisor"}

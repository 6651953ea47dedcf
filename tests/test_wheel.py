"""The wheel holds all it needs: installed where there is no checkout, it runs the demo."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("specs", "lua_api", "supervise")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built with what is installed: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An empty environment with the wheel; the libraries it depends on are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    python = folder / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install, wheel], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    # A folder that is named in a .pth file comes after the environment's own packages, and the
    # .pth files in it, such as those of a checkout, count for nothing.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def test_every_file_of_the_packages_is_in_the_wheel(wheel):
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".lua"} or path.name == "py.typed"
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert names == expected
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_the_demo_runs_from_the_installed_wheel(environment, tmp_path):
    command = [environment / "bin" / "supervise", "run", "specs.examples.worker_pool"]

    result = subprocess.run(
        command, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert "Worker 1 completed:\t20\n" in result.stdout
    assert "progress_worker.lua:8: task 3 was made to fail\n" in result.stdout


def test_what_is_installed_is_what_is_imported(environment, tmp_path):
    script = (
        "import specs, lua_api, supervise\nfor m in specs, lua_api, supervise: print(m.__file__)"
    )

    printed = subprocess.run(
        [environment / "bin" / "python", "-c", script],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert [Path(path).is_relative_to(environment) for path in printed.split()] == [True] * 3

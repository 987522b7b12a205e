from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tkit_plugins import lock
from tkit_plugins.build import LOCK
from tkit_plugins.lock import OWN, main


def wheel(folder: Path, name: str, version: str, *requires: str) -> str:
    """Write an empty package, and return the SHA-256 of its wheel."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info/"
    needs = "".join(f"Requires-Dist: {r}\n" for r in requires)
    with zipfile.ZipFile(path, "w") as z:
        z.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(info + "RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_lock(tmp_path: Path) -> None:
    wheels, project = tmp_path / "wheels", tmp_path / "project"
    wheels.mkdir()
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\ndependencies = ["own_thing==2.0", "tkit-plugins"]\n')
    digests = {
        "cryptography==50.0.0": wheel(wheels, "cryptography", "50.0.0", "cffi"),
        "cffi==2.0": wheel(wheels, "cffi", "2.0"),
        "grpcio==1.80": wheel(wheels, "grpcio", "1.80"),
        "numpy==1.26.4": wheel(wheels, "numpy", "1.26.4"),
        "protobuf==6.1": wheel(wheels, "protobuf", "6.1"),
        "own-thing==2.0": wheel(wheels, "own_thing", "2.0"),
    }
    wheel(wheels, "protobuf", "7.0")  # too new
    main(["--wheels", str(wheels), str(project)])
    lines = (project / LOCK).read_text().splitlines()
    assert lines[0].startswith("# Made by") and lines[1:] == sorted(f"{k} --hash=sha256:{v}" for k, v in digests.items())

    (project / LOCK).unlink()
    script = Path(lock.__file__)
    run = subprocess.run([sys.executable, "-I", script, "--wheels", wheels, project], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (project / LOCK).read_text().splitlines() == lines

    (project / "pyproject.toml").write_text('[project]\ndependencies = ["missing==1"]\n')
    with pytest.raises(SystemExit, match="finds no compatible packages"):
        main(["--wheels", str(wheels), str(project)])
    assert (project / LOCK).read_text().splitlines() == lines


def test_own_dependencies() -> None:
    table = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert table["project"]["dependencies"] == list(OWN)

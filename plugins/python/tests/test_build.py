from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from peer import Peer

from tkit_plugins import preprocessor_pb2 as pb
from tkit_plugins.build import LOCK, ProjectError, build

PYPROJECT = """
[project]
name = "invert"
version = "1.2.3"
dependencies = ["Num_Py >= 1.26", "tkit-plugins"]

[tool.tkit]
preprocessor = "invert:Invert"
"""


def project(folder: Path, pyproject: str = PYPROJECT, noise: str = "") -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(pyproject)
    (folder / LOCK).write_text("# lock\nnum-py==1.26.4 --hash=sha256:00\n")
    text = (Path(__file__).parent / "invert.py").read_text()
    (folder / "invert.py").write_text(text.replace("import sys\n", f"import sys\nprint({noise!r})\n", 1) if noise else text)
    return folder


def test_same_everywhere(tmp_path: Path) -> None:
    build(project(tmp_path / "a"), tmp_path / "a.pyz")
    build(project(tmp_path / "b"), tmp_path / "b.pyz")
    assert (tmp_path / "a.pyz").read_bytes() == (tmp_path / "b.pyz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.pyz") as z:
        names = z.namelist()
    assert {"__main__.py", LOCK, "invert.py", "tkit_plugins/serve.py", "tkit_plugins/py.typed"} <= set(names)
    assert not [name for name in names if "pycache" in name or name.startswith("test")]


def test_runs(tmp_path: Path, peers: Callable[..., Peer]) -> None:
    archive = tmp_path / "invert.pyz"
    build(project(tmp_path / "project", noise="hello"), archive)
    # Its packages are those of the tests.
    site = str(Path(np.__file__).parents[1])
    peer = peers(sys.executable, "-ISB", str(archive), TKIT_PLUGIN_PACKAGES=site)
    assert peer.line.startswith("1|1|unix|")
    batch = pb.Batch(kind=pb.KIND_UINT8, count=1, height=1, width=1, channels=1, inline=b"\x05")
    assert peer.process_batch(pb.ProcessRequest(batch=batch)).batch.inline == b"\xfa"
    peer.process.terminate()
    assert "hello" in peer.end()

    by_hand = subprocess.run([archive], capture_output=True, text=True)
    assert by_hand.returncode == 1 and by_hand.stderr == "invert 1.2.3 is a plugin of tkit: see `tkit plugins --help`\n"


def test_another_version(tmp_path: Path, peers: Callable[..., Peer]) -> None:
    archive = tmp_path / "invert.pyz"
    build(project(tmp_path / "project", PYPROJECT.replace("1.2.3", "1.2.4")), archive)
    with pytest.raises(ChildProcessError, match="describes itself as invert 1.2.3, but as invert 1.2.4 in pyproject.toml"):
        peers(sys.executable, "-ISB", str(archive), TKIT_PLUGIN_PACKAGES=str(Path(np.__file__).parents[1]))


@pytest.mark.parametrize(
    "pyproject, words",
    [
        ("[project", "pyproject.toml"),
        (PYPROJECT.replace('version = "1.2.3"', ""), r"\[project\] has no version"),
        (PYPROJECT.replace("preprocessor =", "processor ="), r"\[tool.tkit\] has no preprocessor"),
        (PYPROJECT.replace("invert:Invert", "invert.Invert"), "want MODULE:CLASS"),
        (PYPROJECT.replace("invert:Invert", "other:Invert"), "no module other"),
        (PYPROJECT.replace("Num_Py", "scipy"), "has no scipy: `python -m tkit_plugins.lock"),
    ],
)
def test_bad_projects(tmp_path: Path, pyproject: str, words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        build(project(tmp_path / "project", pyproject), tmp_path / "a.pyz")
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="has no pyproject.toml"):
        build(tmp_path, tmp_path / "a.pyz")
    (project(tmp_path / "project") / LOCK).unlink()
    with pytest.raises(ProjectError, match="requirements.txt is missing"):
        build(tmp_path / "project", tmp_path / "a.pyz")


# Files outside the project are not read: they would become part of the archive.
def test_links(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")

    def linked(name: str) -> Path:
        folder = project(tmp_path / name)
        (folder / "invert.py").rename(folder / "kept.py")
        (folder / "invert").mkdir()
        (folder / "kept.py").rename(folder / "invert" / "__init__.py")
        return folder

    whole = linked("whole")
    build(whole, tmp_path / "whole.pyz")
    with zipfile.ZipFile(tmp_path / "whole.pyz") as z:
        assert "invert/__init__.py" in z.namelist()

    file, folder, hard, pipe, lock, pyproject, case = (linked(n) for n in ("file", "folder", "hard", "pipe", "lock", "pyproject", "case"))
    (file / "invert" / "data.txt").symlink_to(secret)
    (folder / "invert" / "data").symlink_to(tmp_path)
    os.link(secret, hard / "invert" / "data.txt")
    os.mkfifo(pipe / "invert" / "data.txt")
    for at, name in ((lock, LOCK), (pyproject, "pyproject.toml")):
        (at / name).rename(tmp_path / f"{at.name}.txt")
        (at / name).symlink_to(tmp_path / f"{at.name}.txt")
    (case / "invert" / "A.txt").touch()
    (case / "invert" / "a.txt").touch()
    module = project(tmp_path / "module")
    (module / "invert.py").unlink()
    (module / "invert.py").symlink_to(secret)
    source = project(tmp_path / "source")
    (source / "invert.py").unlink()
    (source / "src").symlink_to(whole)
    for at, words in {
        file: "symbolic link", folder: "symbolic link", hard: "several names", pipe: "is not a file", lock: "symbolic link",
        pyproject: "symbolic link", case: "differ only in case", module: "symbolic link", source: "symbolic link",
    }.items():
        with pytest.raises(ProjectError, match=words):
            build(at, tmp_path / "out.pyz")
        assert not (tmp_path / "out.pyz").exists()

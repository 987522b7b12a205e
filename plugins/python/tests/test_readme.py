"""The examples in README.md work."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tkit_plugins.build import build
from tkit_plugins.testing import process

README = (Path(__file__).parents[1] / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_preprocessor() -> None:
    names: dict[str, type] = {}
    exec(block("python"), names)
    batch = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    np.testing.assert_array_equal(np.asarray(process(names["Invert"](), batch)), 255 - batch)


def test_project(tmp_path: Path) -> None:
    project = tmp_path / "deskew"
    project.mkdir()
    (project / "pyproject.toml").write_text(block("toml"))
    (project / "requirements.txt").write_text("opencv-python-headless==4.11.0.86 --hash=sha256:00\n")
    (project / "deskew.py").write_text("")
    build(project, tmp_path / "deskew.pyz")

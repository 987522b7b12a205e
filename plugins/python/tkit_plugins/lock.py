"""Writes the lock of a project: every package that it and tkit_plugins need, by
version and by the SHA-256 of the wheel for this Python on this kind of machine.

    python -m tkit_plugins.lock [--wheels FOLDER] PROJECT
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .build import LOCK, ProjectError, read, requirements

OWN = ("cryptography>=44", "grpcio>=1.71", "numpy>=1.26", "protobuf>=5.29,<7")
"""What tkit_plugins itself needs."""


def lock(project: Path, wheels: Path | None = None) -> str:
    """The text of a lock. pip decides on the versions, and installs nothing."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    pip += ["--dry-run", "--ignore-installed", "--only-binary", ":all:", "--report", "-"]
    if wheels is not None:
        pip += ["--no-index", "--find-links", str(wheels)]
    done = subprocess.run([*pip, *OWN, *requirements(read(project))], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ProjectError(f"pip finds no packages that go together (exit status {done.returncode})")
    lines = [
        f"# Made by `python -m tkit_plugins.lock` for CPython {platform.python_version()} on {sys.platform} {platform.machine()}.",
        *sorted(map(_pinned, json.loads(done.stdout)["install"])),
    ]
    return "\n".join(lines) + "\n"


def _pinned(item: dict[str, Any]) -> str:
    name = item["metadata"]["name"].lower().replace("_", "-")
    source = item["download_info"]
    digest = source.get("archive_info", {}).get("hashes", {}).get("sha256")
    url = urlsplit(source["url"])
    if digest is None and url.scheme == "file":  # pip takes no digest of what is here
        digest = hashlib.sha256(Path(unquote(url.path)).read_bytes()).hexdigest()
    if digest is None:
        raise ProjectError(f"pip was told no SHA-256 of {name}")
    return f"{name}=={item['metadata']['version']} --hash=sha256:{digest}"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("python -m tkit_plugins.lock", description=lock.__doc__)
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="take packages from FOLDER, without a network")
    parser.add_argument("project", type=Path, metavar="PROJECT")
    given = parser.parse_args(arguments)
    try:
        text = lock(given.project, given.wheels)
        beside = given.project / (LOCK + ".locking")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, given.project / LOCK)
    except (ProjectError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])

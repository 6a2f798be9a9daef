"""The list of versions of a built site, and the sites of earlier versions beside it.

The list of a site is a script, ``versions.js``, in its root: one entry for each version with its
name, its folder relative to this root ("" is the site itself) and its pages.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

_FOLDER = "versions"
_LIST = "versions.js"
_PREFIX = "window.aimassVersions = "


def pages_of(site: Path) -> list[str]:
    """Return the pages of one version, without those of earlier versions in the same folder."""
    pages = [path.relative_to(site) for path in site.rglob("*.html")]
    return sorted(page.as_posix() for page in pages if page.parts[0] != _FOLDER)


def version_of(site: Path) -> str:
    """Return the version that a built site names."""
    try:
        text = (site / _LIST).read_text(encoding="utf-8")
        entries = json.loads(text.removeprefix(_PREFIX).rstrip(";\n"))
        return next(str(entry["name"]) for entry in entries if entry["folder"] == "")
    except (OSError, ValueError, KeyError, StopIteration):
        raise ValueError(f"{site} is no site that 'make site' built: {_LIST} is missing") from None


def write(site: Path, version: str, older: list[Path]) -> None:
    """Copy earlier sites into a new one, and write the list of versions of each.

    Parameters
    ----------
    site : Path
        The folder of the new site.
    version : str
        Its version.
    older : list of Path
        Folders of sites that were built for earlier versions, the newest first.
    """
    folders = {version: ""}
    pages = {version: pages_of(site)}
    for source in older:
        name = version_of(source)
        if name in folders:
            raise ValueError(f"{source} holds version {name}, which the new site has already")
        target = site / _FOLDER / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(_FOLDER))
        folders[name] = f"{_FOLDER}/{name}/"
        pages[name] = pages_of(target)
    for here in folders:
        entries = []
        for name, folder in folders.items():
            path = os.path.relpath(folder or ".", folders[here] or ".").replace(os.sep, "/")
            entries.append(
                {"name": name, "folder": "" if name == here else f"{path}/", "pages": pages[name]}
            )
        text = f"{_PREFIX}{json.dumps(entries)};\n"
        (site / folders[here] / _LIST).write_text(text, encoding="utf-8")

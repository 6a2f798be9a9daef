"""Hooks of MkDocs: version, pages made from the registry and the docstrings, formulas as MathML."""

from __future__ import annotations

import base64
import html
import inspect
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import aimass_core

sys.path.insert(0, str(Path(__file__).parent))
import public
import versions

_EXECUTED = Path(__file__).resolve().parents[2] / "build" / "notebooks"
_GUIDES = {
    "neighbors": "neighbors.md",
    "factorization": "factorization.md",
    "linear": "linear.md",
    "hybrid": "hybrid.md",
    "deep": "deep.md",
    "fusion": "fusion.md",
    "sessions": "sessions.md",
}
_TITLES = {
    "neighbors": "Neighbourhood models",
    "factorization": "Factor models",
    "linear": "Linear models",
    "hybrid": "Models with features",
    "deep": "Neural networks",
    "fusion": "Combinations of models",
    "sessions": "Session models",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Show the version, and complete the navigation by the generated pages."""
    version = aimass_core.__version__
    config.extra["version_shown"] = version
    sections: list[Any] = ["concepts/index.md"]
    for package, models in _models_by_package().items():
        pages = [{cls.__name__: f"concepts/{name}.md"} for name, cls in models.items()]
        sections.append({_TITLES.get(package, package): pages})
    reference = ["reference/index.md"]
    reference += [{p.path: f"reference/{p.path}.md"} for p in public.packages()]
    notebooks: list[Any] = ["notebooks.md"]
    notebooks += [
        f"notebooks/{source.stem}.md"
        for source in sorted((Path(config.docs_dir) / "notebooks").glob("*.ipynb"))
    ]
    generated = {"MODELS": sections, "REFERENCE": reference, "NOTEBOOKS": notebooks}
    config.nav = [
        {title: generated.get(pages, pages) if isinstance(pages, str) else pages}
        for entry in config.nav or []
        for title, pages in entry.items()
    ]
    guides = next(entry["Guides"] for entry in config.nav if "Guides" in entry)
    guides += _unlisted(config)
    return config


def on_post_build(config: MkDocsConfig) -> None:
    """Write the list of versions; SITE_OLDER names the built sites of earlier versions."""
    older = [Path(folder) for folder in os.environ.get("SITE_OLDER", "").split()]
    versions.write(Path(config.site_dir), config.extra["version_shown"], older)


def _unlisted(config: MkDocsConfig) -> list[str]:
    """Return the pages that the navigation does not name; they follow the other guides."""

    def listed(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [page for part in parts for page in listed(part)]

    docs = Path(config.docs_dir)
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    return sorted(pages - set(listed(config.nav)))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of each model, of each package, and their two tables of contents."""
    pages: dict[str, str | bytes] = {
        "concepts/index.md": _models_page(),
        "reference/index.md": _reference_page(),
    }
    for name, cls in public.models().items():
        pages[f"concepts/{name}.md"] = _model_page(name, cls, config)
    for package in public.packages():
        pages[f"reference/{package.path}.md"] = _package_page(package)
    for source in sorted((Path(config.docs_dir) / "notebooks").glob("*.ipynb")):
        pages |= _notebook_page(source)
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **kwargs: Any) -> str:
    """Link the names of models in the first column of the table of choice to their pages."""
    if page.file.src_uri == "choose.md":
        for name, cls in public.models().items():
            link = f"\n| [`{cls.__name__}`](concepts/{name}.md) |"
            markdown = markdown.replace(f"\n| `{cls.__name__}` |", link)
    return markdown


def on_page_content(content: str, **kwargs: Any) -> str:
    """Replace each formula by MathML, which browsers show without a script."""

    def mathml(match: re.Match[str]) -> str:
        formula = html.unescape(match[3])
        block = match[2] == "["
        return convert(formula, display="block" if block else "inline")

    pattern = r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>'
    return re.sub(pattern, mathml, content, flags=re.S)


def _notebook_page(source: Path) -> dict[str, str | bytes]:
    """Return the page of a notebook and its pictures, as run for this build if it was."""
    executed = _EXECUTED / source.name
    notebook = json.loads((executed if executed.exists() else source).read_text())
    files: dict[str, str | bytes] = {}
    lines: list[str] = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        lines += [text, ""] if cell["cell_type"] == "markdown" else ["```py", text, "```", ""]
        for output in cell.get("outputs", []):
            data = output.get("data", {"text/plain": output.get("text", "")})
            if "image/png" in data:
                name = f"{source.stem}-{len(files) + 1}.png"
                files[f"notebooks/{name}"] = base64.b64decode("".join(data["image/png"]))
                lines += [f"![Plot of the cell above]({name})", ""]
            elif "text/html" in data:
                shown = "".join(data["text/html"]).replace("\n", " ")
                lines += [f'<div class="notebook-output">{shown}</div>', ""]
            else:
                lines += ["```text", "".join(data["text/plain"]).rstrip("\n"), "```", ""]
    lines += [f"[This page as a notebook]({source.name})", ""]
    return {f"notebooks/{source.stem}.md": "\n".join(lines), **files}


def _models_by_package() -> dict[str, dict[str, type]]:
    found: dict[str, dict[str, type]] = {}
    for name, cls in public.models().items():
        found.setdefault(cls.__module__.split(".")[1], {})[name] = cls
    return dict(sorted(found.items(), key=lambda pair: pair[0] != "neighbors"))


def _cell(text: str) -> str:
    """Return docstring text that a cell of a table can hold."""
    text = re.sub(r":math:`([^`]+)`", r"\\(\1\\)", text)
    return text.replace("|", "\\|")


def _summary(cls: type) -> str:
    """Return the first line of a model's docstring, and the extra that its fit needs."""
    extra = getattr(cls, "needs_extra", None)
    needs = f" Fit needs `aimass_core[{extra}]`." if extra else ""
    return public.first_line(cls) + needs


def _models_page() -> str:
    """Return the table of all models."""
    lines = [
        "# All models",
        "",
        "Each page holds the formula, the options, the cost, the paper and an example. "
        "The registry gives a model its page, and its name in commands and files. "
        "[Which model when](../choose.md) helps to choose.",
    ]
    for package, models in _models_by_package().items():
        title = _TITLES.get(package, package)
        lines += [
            "",
            f"## {title}",
            "",
            "| model | name in commands and files | |",
            "|---|---|---|",
        ]
        lines += [
            f"| [`{cls.__name__}`]({name}.md) | `{name}` | {_cell(_summary(cls))} |"
            for name, cls in models.items()
        ]
    lines += [
        "",
        "Gaussian mixtures and customer segments are described in their guides: "
        "[Gaussian mixtures](../mixture.md), [customer segments](../segments.md).",
        "",
    ]
    return "\n".join(lines)


def _model_page(name: str, cls: type, config: MkDocsConfig) -> str:
    """Return the page of one model: its docstring, and a table of its methods."""
    path = f"{cls.__module__}.{cls.__name__}"
    guide = _GUIDES.get(cls.__module__.split(".")[1], "models.md")
    if not (Path(config.docs_dir) / guide).exists():
        guide = "models.md"
    lines = [
        f"# {cls.__name__} {{ #{path} }}",
        "",
        f"Name in commands and files: `{name}`. Guide: [{guide.removesuffix('.md')}](../{guide}). "
        "Filters, new users and ids work as in [one contract for all models](../models.md).",
        "",
        f"::: {path}",
        "    options:",
        "      heading_level: 2",
        "      show_root_heading: false",
        "      show_root_toc_entry: false",
        "      members: []",
        "",
        "## Methods",
        "",
        "| method | |",
        "|---|---|",
    ]
    own = []
    for member, value in sorted(inspect.getmembers(cls)):
        if member.startswith("_") or not inspect.isroutine(value):
            continue
        if member in vars(cls):
            own.append(member)
            lines.append(f"| [`{member}`][{path}.{member}] | {_cell(public.first_line(value))} |")
        elif member in vars(aimass_core.Recommender):
            target = f"aimass_core.Recommender.{member}"
            lines.append(f"| [`{member}`][{target}] | {_cell(public.first_line(value))} |")
        elif public.first_line(value):
            lines.append(f"| `{member}` | {_cell(public.first_line(value))} |")
    if own:
        lines += ["", "## Methods of this model", ""]
        for member in own:
            lines += [f"::: {path}.{member}", "    options:", "      heading_level: 3", ""]
    return "\n".join([*lines, ""])


def _reference_page() -> str:
    """Return the table of all packages."""
    lines = ["# API reference", "", "| package | |", "|---|---|"]
    lines += [f"| [`{p.path}`]({p.path}.md) | {_cell(p.summary)} |" for p in public.packages()]
    lines += ["", "The classes of models have [pages of their own](../concepts/index.md).", ""]
    return "\n".join(lines)


def _package_page(package: public.Package) -> str:
    """Return the page of one package: a table of its names, then their docstrings."""
    lines = [f"# {package.path}", "", package.summary, "", "| name | |", "|---|---|"]
    for name, thing in package.names.items():
        lines.append(f"| [`{name}`][{package.target(name)}] | {_cell(public.first_line(thing))} |")
    lines.append("")
    for name in package.names:
        lines += [f"::: {package.target(name)}", "    options:", "      heading_level: 2", ""]
    return "\n".join(lines)

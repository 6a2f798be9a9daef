"""Check that no page of the built site loads anything from the network: FOLDER."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path

# Attributes that make a browser load a file; a link that the reader may follow is none of them.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("link", "href"), ("source", "src")}


class Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the addresses in one tag."""
        kinds = dict(attrs).get("rel") or ""
        if tag == "link" and kinds in ("canonical", "next", "prev", "alternate"):
            return
        self.addresses += [value or "" for name, value in attrs if (tag, name) in LOADED]


def main(folder: str) -> int:
    """Print each address on the network; return the exit status."""
    pages = sorted(Path(folder).rglob("*.html"))
    n_errors = 0
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        for address in loads.addresses:
            if address.startswith(("http:", "https:", "//")):
                n_errors += 1
                print(f"{page}: loads {address}")
    print(f"site: {len(pages)} pages, {n_errors} addresses on the network")
    return min(n_errors or not pages, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

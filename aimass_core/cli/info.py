"""``aimass info``: what this installation is and found."""

from __future__ import annotations

from .console import facts, print_json
from .options import JsonOption

__all__ = ["info"]


def info(json: JsonOption = False) -> None:
    """Print version, instruction set, threads, BLAS and the optional parts found."""
    from .._config import show_config

    found = show_config()
    if json:
        print_json(found)
        return
    threads = found["n_threads_env"]
    source = f"AIMASS_NUM_THREADS={threads}" if threads else "the CPUs of this process"
    facts(
        f"aimass_core {found['version']}",
        {
            "Python": f"{found['python']} on {found['platform']}",
            "instruction set": f"{found['isa']} of {', '.join(found['isa_available'])}",
            "threads": f"{found['n_threads']} (from {source})",
            "BLAS": found["blas"],
            **{name: version or "missing" for name, version in found["required"].items()},
            **{
                f"{name} (optional)": version or "not installed"
                for name, version in found["optional"].items()
            },
        },
    )

"""``aimass info``: what this installation is and found."""

from __future__ import annotations

from .console import Reporter
from .groups import with_option_groups
from .options import GeneralOptions

__all__ = ["info"]


@with_option_groups
def info(*, general: GeneralOptions) -> None:
    """Print version, instruction set, threads, BLAS and the optional parts found."""
    from .._config import show_config

    reporter = Reporter(general)
    found = show_config()
    if reporter.is_json:
        reporter.json(found)
        return
    threads = found["n_threads_env"]
    source = f"AIMASS_NUM_THREADS={threads}" if threads else "the CPUs of this process"
    reporter.facts(
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

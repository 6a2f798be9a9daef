"""``aimass info``: what this installation is and found."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .console import Reporter
from .groups import with_option_groups
from .options import GeneralOptions

__all__ = ["info"]


@with_option_groups
def info(
    *,
    cuda_check: Annotated[
        bool,
        typer.Option(
            "--cuda-check",
            help="Compare results and speed of a GPU with those of the processor; exit code 1 "
            "where results differ.",
        ),
    ] = False,
    device: Annotated[
        str,
        typer.Option(help="Device of --cuda-check, such as 'cuda:1' or 'torch:cpu'."),
    ] = "cuda",
    general: GeneralOptions,
) -> None:
    """Print version, instruction set, threads, BLAS and the optional parts found."""
    from .._config import show_config

    reporter = Reporter(general)
    if cuda_check:
        _check_device(reporter, device)
        return
    config = show_config()
    if reporter.is_json:
        reporter.json(config)
        return
    threads = config["n_threads_env"]
    source = f"AIMASS_NUM_THREADS={threads}" if threads else "the CPUs of this process"
    reporter.facts(
        f"aimass_core {config['version']}",
        {
            "Python": f"{config['python']} on {config['platform']}",
            "instruction set": f"{config['isa']} of {', '.join(config['isa_available'])}",
            "threads": f"{config['n_threads']} (from {source})",
            "BLAS": config["blas"],
            **{name: version or "missing" for name, version in config["required"].items()},
            **{
                f"{name} (optional)": version or "not installed"
                for name, version in config["optional"].items()
            },
        },
    )


def _check_device(reporter: Reporter, device: str) -> None:
    """Print the comparison of a device with the processor."""
    from ..cuda import check, device_info, number_of_comparisons

    facts = device_info(device)
    results = []
    with reporter.steps() as steps:
        steps.begin("comparing")
        for done, result in enumerate(check(device), 1):
            steps.at(done, number_of_comparisons(device))
            results.append(result)
    if reporter.is_json:
        reporter.json(facts | {"results": [asdict(r) | {"ratio": r.ratio} for r in results]})
    else:
        reporter.facts(
            f"device {device}",
            {name.replace("_", " "): "unknown" if v is None else v for name, v in facts.items()},
        )
        reporter.grid(
            "The device and the processor",
            ["computation", "type", "relative error", "result", "device s", "CPU s", "ratio"],
            [
                [
                    result.name,
                    result.dtype,
                    f"{result.error:.1e}",
                    "equal" if result.is_equal else "DIFFERENT",
                    f"{result.device_seconds:.4f}",
                    f"{result.cpu_seconds:.4f}",
                    f"{result.ratio:.1f}x",
                ]
                for result in results
            ],
        )
    if not all(result.is_equal for result in results):
        raise typer.Exit(1)

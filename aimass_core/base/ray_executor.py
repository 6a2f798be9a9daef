"""A Ray cluster as a `concurrent.futures.Executor`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from .optional import import_optional
from .threads import resolve_n_threads

__all__ = ["RayExecutor"]


class RayExecutor(Executor):
    """Submits tasks to Ray.

    Parameters
    ----------
    address : str, optional
        Such as ``"ray://head:10001"``. Default: the session of this process, or a new one on this
        machine.
    n_threads : int, default=1
        Threads of a task; Ray reserves that many CPUs for it.
    **options
        Further arguments of ``ray.init``.

    Raises
    ------
    ImportError
        If Ray is not installed (``pip install 'aimass_core[ray]'``).

    Examples
    --------
    >>> from aimass_core.base.ray_executor import RayExecutor
    >>> with RayExecutor() as executor:  # doctest: +SKIP
    ...     executor.submit(abs, -3).result()
    3
    """

    def __init__(self, address: str | None = None, n_threads: int = 1, **options: Any) -> None:
        self._ray = import_optional("ray", "RayExecutor", "ray")
        self.n_threads = resolve_n_threads(n_threads)
        self._owns_session = not self._ray.is_initialized()
        if self._owns_session:
            self._ray.init(address, **{"log_to_driver": False, "logging_level": "error", **options})
        self._call = self._ray.remote(num_cpus=self.n_threads)(_call)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function on a worker.

        Parameters
        ----------
        fn : callable
            A function of a module.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        concurrent.futures.Future
        """
        future: Future[Any] = self._call.remote(fn, args, kwargs).future()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the session if it was begun here.

        Parameters
        ----------
        wait : bool, default=True
            Not used.
        cancel_futures : bool, default=False
            Not used.
        """
        if self._owns_session:
            self._ray.shutdown()
            self._owns_session = False


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)

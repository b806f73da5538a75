"""Searches for a network and a recipe: the space, the engine that runs trials, and the results.

This module can be called: `imgclf.search(data, …)` runs a search, while `imgclf.search` also has
`HyperClassifier` and the other public names. Type checkers see it as an object with the function's
signature; an annotation needs `from imgclf.search import SearchResult`.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers and editors see; names of `_OWNERS`
    from imgclf.search.results.confirmation import Confirmation as Confirmation
    from imgclf.search.results.result import SearchResult as SearchResult
    from imgclf.search.results.trial import Trial as Trial
    from imgclf.search.run_search import run_worker as run_worker
    from imgclf.search.run_search import search as search
    from imgclf.search.space.hyper_classifier import HyperClassifier as HyperClassifier
    from imgclf.search.space.hypermodel_space import HyperModelSpace as HyperModelSpace

# Each public name, and the module that owns it; loaded when first used, as in `imgclf` itself.
_OWNERS = {
    "Confirmation": "imgclf.search.results.confirmation",
    "HyperModelSpace": "imgclf.search.space.hypermodel_space",
    "HyperClassifier": "imgclf.search.space.hyper_classifier",
    "search": "imgclf.search.run_search",
    "SearchResult": "imgclf.search.results.result",
    "Trial": "imgclf.search.results.trial",
    "run_worker": "imgclf.search.run_search",
}

__all__ = sorted(_OWNERS)  # noqa: PLE0605


if TYPE_CHECKING:

    class CallableSearch:
        """`imgclf.search` as type checkers see it: a function with the names of `_OWNERS`."""

        from imgclf.search.results.confirmation import Confirmation
        from imgclf.search.results.result import SearchResult
        from imgclf.search.results.trial import Trial
        from imgclf.search.space.hyper_classifier import HyperClassifier
        from imgclf.search.space.hypermodel_space import HyperModelSpace

        __call__ = staticmethod(search)
        run_worker = staticmethod(run_worker)
        search = staticmethod(search)

else:

    class CallableSearch(types.ModuleType):
        """A module that runs a search when it is called.

        The function `imgclf.search` and the folder `imgclf/search` share a name. Without this
        class, the meaning of `imgclf.search` would depend on earlier imports.
        """

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self.search(*args, **kwargs)

        @property
        def __signature__(self) -> Any:
            import inspect

            return inspect.signature(self.search)

        @property
        def __wrapped__(self) -> Any:  # what help() in IPython and mkdocstrings follow
            return self.search

    def __getattr__(name: str) -> Any:
        if name not in _OWNERS:
            raise AttributeError(f"module 'imgclf.search' has no attribute {name!r}")
        value = getattr(importlib.import_module(_OWNERS[name]), name)
        globals()[name] = value
        return value

    sys.modules[__name__].__class__ = CallableSearch


def __dir__() -> list[str]:
    return __all__

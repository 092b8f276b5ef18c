"""Packages that a library imports for what few ask of it: put off until somebody does.

KerasHub imports TensorFlow on every backend, for `tf.data` and some tokenizers: a third of the time to a
first picture on torch or JAX.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import threading
import types


def import_without(library, packages):
    """Import a library; what it imports of these packages is imported when something of it is asked for.

    Nothing is done where the library or one of the packages is imported already. A package that is not
    installed is missing for the library as ever.

    Args:
        library: str.
        packages: sequence of str, packages at the top.
    """
    if any(name in sys.modules for name in (library, *packages)):
        return
    finder = _Finder({name for name in packages if importlib.machinery.PathFinder.find_spec(name)})
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module(library)
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if isinstance(module, Deferred):
                del sys.modules[name]  # the next import is of the package itself
                module._put_off = False


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a `Deferred` for each module of some packages that this thread imports."""

    def __init__(self, packages):
        self.packages, self.thread = packages, threading.get_ident()

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.packages or threading.get_ident() != self.thread:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Deferred(spec.name)

    def exec_module(self, module):
        """Nothing to run yet."""


class Deferred(types.ModuleType):
    """Stands for a module: has nothing while its library is imported, and all that the module has afterwards,
    which is imported then."""

    _put_off = True

    def __getattr__(self, name):
        if (self.__name__, name) == ("tensorflow", "executing_eagerly"):
            return executing_eagerly
        if self._put_off or name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r}, not imported yet, has no attribute {name!r}")
        return getattr(importlib.import_module(self.__name__), name)


def executing_eagerly():
    """KerasHub asks TensorFlow whether it traces a graph, and goes on without where it cannot tell."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is None or tensorflow.executing_eagerly()

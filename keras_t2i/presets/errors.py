"""The one error of a preset that cannot be opened, and what others' errors are turned into."""

import contextlib
import traceback


class PresetError(ValueError):
    """A preset cannot be opened: `preset X: file Y: reason`.

    Attributes:
        preset: str, as it was asked for: name, folder or handle.
        file: str, the file of the preset at fault, relative to it.
        reason: str, one sentence.
    """

    def __init__(self, preset, file, reason):
        super().__init__(str(preset), str(file), str(reason))  # so that it can be pickled

    preset = property(lambda self: self.args[0])
    file = property(lambda self: self.args[1])
    reason = property(lambda self: self.args[2])

    def __str__(self):
        return f"preset {self.preset}: file {self.file}: {self.reason}"


class MissingPartError(PresetError):
    """The preset is whole, and does not have the part that is asked for, such as text preparation."""


@contextlib.contextmanager
def naming(preset, file, stages=()):
    """Turn whatever an opening raises into a `PresetError`, which keeps it as its cause.

    Args:
        preset: str, for the error.
        file: str, the file at fault, unless another is known.
        stages: sequence of (names of functions, file): what fails within one of them is of this file; the
            first that fits counts.
    """
    try:
        yield
    except PresetError:
        raise
    except Exception as error:
        if (said := _said_before(error)) is not None:
            raise said from None
        raise PresetError(preset, _file_at_fault(error, file, stages), in_one_sentence(error)) from error
    except BaseException as error:  # the tokenizers library panics past `Exception`
        if type(error).__name__ != "PanicException":
            raise
        raise PresetError(preset, _file_at_fault(error, file, stages), in_one_sentence(error)) from None


def in_one_sentence(error, longest=300):
    """What an error of another library says, on one line, at most so long."""
    said = " ".join(str(error).split())
    said = said if len(said) <= longest else said[:longest] + " ..."
    if isinstance(error, KeyError):
        said = " ".join(str(error.args[0] if error.args else "").split())  # without its quotes
        return f"it cannot be used (KeyError: {said:.{longest}})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return f"there is not enough memory for it ({said or 'no more is said'})"
    return f"it cannot be used ({type(error).__name__}: {said})"


def _said_before(error):
    """A `PresetError` that Keras has made another error of, on its way through a layer's call."""
    for _ in range(20):
        error = error.__cause__ or error.__context__
        if error is None or isinstance(error, PresetError):
            return error
    return None


def _file_at_fault(error, file, stages):
    passed = {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}
    return next((of_stage for names, of_stage in stages if passed & set(names)), file)

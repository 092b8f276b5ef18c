"""Work in parts on Apache Beam: whichever worker gets a part does it, here or on other machines.

What the parts make are files in a folder that all workers see. So a part is done again by whoever gets it
twice, and to no harm: what it writes depends on the part alone.
"""

import importlib

# Where no `--runner` is given: on this machine, in this process or in those that `--direct_num_workers` says.
# (DirectRunner would look first for a program to fetch.)
LOCAL = "--runner=FnApiRunner"


def apache_beam(module="apache_beam"):
    """A module of the package apache-beam, which nothing else needs.

    Raises: ImportError that says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'--beam needs the package apache-beam: pip install "keras-t2i[beam]" ({error})'
        ) from None


def pipeline_options(options=()):
    """Beam's own options, read.

    Args:
        options: list of str, as on a command line: `--runner`, and what the runner takes.

    Returns:
        `PipelineOptions`, whose runner is `LOCAL` where none is named.

    Raises: ValueError for an option that Beam does not know, where no runner is named that may know it;
        ImportError.
    """
    module = apache_beam("apache_beam.options.pipeline_options")
    named = any(option.partition("=")[0] == "--runner" for option in options)
    strays = [option for option in options[:1] if not option.startswith("-")]
    try:
        read = module.PipelineOptions([*options] if named else [LOCAL, *options])
        known = read.get_all_options()
        strays += sorted(set(read.get_all_options(retain_unknown_options=True)) - set(known))
    except SystemExit:  # of argparse, which has said why
        raise ValueError("Apache Beam does not take these options of --beam") from None
    if strays and not named:
        raise ValueError(
            f"Apache Beam knows no option {strays[0]!r}: behind --beam are its own, such as --runner"
        )
    return read


def run_on_beam(parts, open_worker, options=()):
    """Do every part of a work, on Apache Beam.

    Args:
        parts: list of small things that can be pickled.
        open_worker: function without arguments, of a module or a `functools.partial` of one: called once on
            every worker, to open what is costly to open; returns the function of a part that does it.
        options: as of `pipeline_options`.

    Raises:
        ImportError, ValueError: as `pipeline_options`.
        RuntimeError: a worker failed: names the part's error.
    """
    options, beam = pipeline_options(options), apache_beam()

    class DoPart(beam.DoFn):
        def setup(self):
            self.do = open_worker()

        def process(self, part):
            self.do(part)

    try:
        with beam.Pipeline(options=options) as pipeline:
            # Without the shuffle one worker would do all that `Create` makes.
            _ = pipeline | beam.Create(parts) | beam.Reshuffle() | beam.ParDo(DoPart())
    except Exception as error:  # of any kind: what a worker raised, or a text with its traceback
        lines = [line.strip() for line in str(error).splitlines() if "[while running" in line]
        said = (lines[-1] if lines else str(error)).partition(" [while running")[0]
        raise RuntimeError(f"A worker of Apache Beam failed: {said}") from error

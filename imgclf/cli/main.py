"""The command `imgclf`: lists the commands, and turns failures into messages and exit codes.

Nothing heavy is imported here: TensorFlow and Keras wait until a command needs them.
"""

from __future__ import annotations

import errno
import os
import re
from typing import Any

import click

import imgclf
from imgclf.cli.commands.calibrate import calibrate
from imgclf.cli.commands.compare import compare
from imgclf.cli.commands.demo import demo
from imgclf.cli.commands.evaluate import evaluate
from imgclf.cli.commands.explain import explain
from imgclf.cli.commands.inspect import inspect
from imgclf.cli.commands.learning_curve import learning_curve
from imgclf.cli.commands.predict import predict
from imgclf.cli.commands.presets import presets
from imgclf.cli.commands.report import report
from imgclf.cli.commands.search import search
from imgclf.cli.commands.train import train
from imgclf.cli.terminal import escaping_stdout, fill_closed_streams
from imgclf.errors import ImgclfError
from imgclf.formatting import show_path

__all__ = ["main"]

# What shells report for a program ended by Ctrl-C: 128 + SIGINT.
_INTERRUPTED = 130


# Arguments that messages propose, as the options that the commands have in their place.
_OPTIONS = {
    r'resume="force"': "--resume force",
    r"another run_dir": "another --out",
    r"with validation=0\.1": "with --validation 0.1",
    r"image_size=\((\d+), (\d+)\)": r"--image-size \1x\2",
    r'color="(rgb|gray)"': r"--color \1",
}


def _with_options(message: str) -> str:
    for argument, option in _OPTIONS.items():
        message = re.sub(argument, option, message)
    return message


def _system_message(error: OSError) -> str:
    """Returns what the system says, with the file and without a number."""
    if error.strerror is None:
        return str(error)
    if not isinstance(error.filename, (str, bytes)):
        return f"{error.strerror}."
    return f"{show_path(os.fsdecode(error.filename))}: {error.strerror}."


class _Program(click.Group):
    """The group of commands; maps failures to exit codes."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Runs a command line."""
        fill_closed_streams()
        with escaping_stdout():
            return super().main(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        # TensorFlow reads this when it is loaded; its start-up notices do not concern our users.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            return super().invoke(ctx)
        except ImgclfError as error:
            raise click.ClickException(_with_options(str(error))) from error
        except KeyboardInterrupt as interrupt:
            click.echo(f"\n{str(interrupt) or 'Interrupted.'}", err=True)
            ctx.exit(_INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise click.ClickException(_system_message(error)) from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Lists the commands in the order of use."""
        return list(self.commands)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(imgclf.__version__, prog_name="imgclf")
def main() -> None:
    """Train and evaluate image classifiers on an ordinary computer.

    Start with `imgclf demo`: it needs no network connection and takes less than a minute.
    """


for _command in (
    *(demo, train, evaluate, report, compare, calibrate, predict, explain),
    *(search, learning_curve, inspect, presets),
):
    main.add_command(_command)

"""How a program of the benchmarks ends when it cannot do what it was asked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from bench.data import DataError


class UsageError(Exception):
    """What was asked for cannot be done; the message is one line that says why."""


class Parser(argparse.ArgumentParser):
    """Reports bad arguments in one line, as all other bad input."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def exit_status(program: Callable[[], None]) -> int:
    """Run ``program``; 2 and one line on stderr if its input is bad or a file cannot be written."""
    try:
        program()
    except (UsageError, DataError, OSError) as error:
        print("error:", " ".join(_reason(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _reason(error: Exception) -> str:
    """What is wrong, without the number that the system has for it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)

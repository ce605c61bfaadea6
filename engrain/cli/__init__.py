"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main() -> None:
    """Run a command; errors of engrain become one line on standard error and an exit code that means something."""
    from engrain.cli.app import app
    from engrain.errors import EngrainError

    for name in ("SIGTERM", "SIGHUP"):
        asked = getattr(signal, name, signal.SIGTERM)
        if signal.getsignal(asked) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(asked, _interrupt)  # a worker that was started must be stopped, too
    try:
        app()
    except EngrainError as error:
        print(f"engrain: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (OSError, UnicodeError) as error:
        print(f"engrain: {error}; check the path, or what was written", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("engrain: interrupted", file=sys.stderr)
        sys.exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

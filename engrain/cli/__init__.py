"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command; errors of engrain become one line on standard error and an exit code that means something."""
    from engrain.cli.app import app
    from engrain.errors import EngrainError

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

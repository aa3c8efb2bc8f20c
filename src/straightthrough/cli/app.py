"""The command `ste`: puts the commands together, and says what is wrong in one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Runs the command. An error of ours is one line on stderr and exit status 2; interrupted, it is 130."""
    try:
        import typer  # noqa: F401
    except ImportError:
        print("ste: the command needs typer; pip install 'straightthrough[cli]'", file=sys.stderr)
        sys.exit(2)
    from straightthrough._errors import SteError

    try:
        application()()
    except SteError as error:
        print(f"ste: {error}", file=sys.stderr)
        sys.exit(2)


def application() -> typer.Typer:
    """The commands as one typer application."""
    import typer

    from straightthrough.cli import demo, doctor, proxies, ship, version

    app = typer.Typer(
        name="ste",
        help="Gradients through hard operators, on TensorFlow, PyTorch and JAX.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(version.options)
    app.command()(demo.demo)
    app.command()(doctor.doctor)
    app.command()(proxies.proxies)
    app.command()(ship.ship)
    return app


if __name__ == "__main__":
    main()

"""The floor of a start: the help of a tiny program, by click itself."""

import click


@click.group()
def cli() -> None:
    """A program with one command."""


@cli.command()
@click.option("--count", default=1, help="How many.")
def plan(count: int) -> None:
    """Do nothing."""


cli()

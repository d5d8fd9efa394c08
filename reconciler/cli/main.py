"""The entry point: global options, and commands that are imported only when they are called."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click

from reconciler import __version__
from reconciler.cli.output import Output, log_to_stderr
from reconciler.cli.session import Session

# name: (module below reconciler.cli, function, one line of help)
COMMANDS = {
    "init": ("init", "init", "Write a commented reconciler.toml into a folder."),
    "validate": ("validate", "validate", "Check the project's files, offline."),
    "fmt": ("fmt", "fmt", "Bring the project's files into canonical form."),
    "schema": ("schema", "schema", "Print the JSON Schema of the project's files, for editors."),
    "plan": ("plan", "plan", "Show what would be done, and change nothing."),
    "apply": ("apply", "apply", "Perform the plan: submit, record, follow."),
    "destroy": ("apply", "destroy", "End everything that is recorded."),
    "import": ("imports", "import_", "Adopt runs that exist already."),
    "resolve": ("resolve", "resolve", "Decide what became of an unknown submission."),
    "refresh": ("records", "refresh", "Ask for every recorded run, and record how it stands."),
    "watch": ("watch", "watch", "Follow a branch; report, or apply, what it declares."),
    "approve": ("consent", "approve", "Let the controller apply the plan with this digest."),
    "suspend": ("consent", "suspend", "Let the controller leave addresses alone."),
    "resume": ("consent", "resume", "End what was suspended."),
    "show": ("records", "show", "Show a saved plan, or the state."),
    "output": ("records", "output", "Show runs as data for scripts."),
    "download": ("download", "download", "Bring the files of runs that SUCCEEDED."),
    "comment": ("comment", "comment", "Post the plan on its pull request, or read what was reviewed."),
    "history": ("history", "history", "Show what happened: when, who, from which commit, at what cost."),
    "state": ("state", "state", "Look into the state; rename, forget, back up, move."),
    "unlock": ("unlock", "unlock", "Break the state's lock, after showing who holds it."),
    "emulator": ("emulator", "emulator", "The built-in service, for any client on this machine."),
    "version": ("version", "version", "Show the version."),
}


class LazyGroup(click.Group):
    """Lists its commands from a table, and imports one only when it is called: help costs no heavy import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a guess for a name that is none."""
        import difflib

        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {name!r}.{guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-C", "root", default=".", metavar="DIR", help="The project's folder (default: this one).")
@click.option("--env", "environment", metavar="NAME", help="Read environments/NAME.toml over the settings.")
@click.option("--state", "state_url", metavar="URL", help="The state, instead of the one that the project names.")
@click.option("--no-color", is_flag=True, help="No colour, as with NO_COLOR in the environment.")
@click.option("--quiet", is_flag=True, help="Only what was asked for, and errors.")
@click.option("-v", "--verbose", count=True, help="Log requests to standard error; -vv: also sizes and pauses.")
@click.version_option(__version__, prog_name="reconciler")
@click.pass_context
def cli(
    ctx: click.Context,
    root: str,
    environment: str | None,
    state_url: str | None,
    no_color: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Keep Dataframer generation runs as declared: plan, review, apply - and buy each once.

    \b
    Start here:
      reconciler init --example     a project on the built-in emulator
      reconciler plan               what would be done
      reconciler apply              do it
    """
    session: Session = ctx.obj
    session.root, session.environment, session.state_url = Path(root), environment, state_url
    session.no_color, session.quiet = no_color, quiet
    if verbose:
        log_to_stderr(verbose)


def _misplaced(problem: click.exceptions.NoSuchOption) -> click.UsageError | None:
    """What to say of an option of the whole program that stands behind a command, as in Terraform."""
    name, ctx = problem.option_name, problem.ctx
    found = next((param for param in cli.params if isinstance(param, click.Option) and name in param.opts), None)
    if found is None or ctx is None or ctx.parent is None:
        return None
    value = "" if found.is_flag or found.count else f" {found.metavar}"
    command = ctx.command_path.partition(" ")[2]
    return click.UsageError(f"{name} stands before the command: reconciler {name}{value} {command}", ctx)


def main() -> None:
    """Run the command line. Exits with the codes of the documentation; click's own 2 for usage errors becomes 1."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started this (`>&-`): there is nobody
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 still gets all of it
    sys.stdout, sys.stderr = output, _ = Output(sys.stdout), Output(sys.stderr)
    session = Session()
    try:
        code = cli.main(prog_name="reconciler", standalone_mode=False, obj=session)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.exceptions.NoSuchOption as problem:
        (_misplaced(problem) or problem).show()
        code = 1
    except click.ClickException as problem:
        problem.show()
        code = 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted. What was recorded stays; the same command goes on from there.", err=True)
        code = 130
    except Exception as problem:  # noqa: BLE001 the one place: known errors become words, others keep their traceback
        from reconciler.cli.exits import explain

        code = explain(problem, session)
    sys.exit(output.close_with(code or 0))

"""`bgpctl config`: the defaults of flags, from a file, by kubeconfig context."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Document, Kubeconfig, Report, given
from bgpctl.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Show, set and check the defaults of flags.")

Name = Annotated[str, typer.Argument(metavar="SETTING", show_default=False)]
_UNTIL = "correct them: no command that takes a setting runs until then"
ForContext = Annotated[
    str | None,
    typer.Option("--context", metavar="CONTEXT", help="Only for this context. Default: for all."),
]


@app.callback()
def config() -> None:
    """Show, set and check the defaults of flags.

    They are in ~/.config/bgpctl/config.yaml ($BGPCTL_CONFIG names another file): a setting has the name of
    its flag, under `defaults` for every cluster, under `contexts` for one. A typed flag wins, then the
    environment (BGPCTL_ORDER for --order), then the context's setting, then the one for all.
    """


@app.command()
def view(
    ctx: typer.Context, output: Document = "text", context: Context = None, kubeconfig: Kubeconfig = None
) -> None:
    """Show each setting that holds for this context, and where it comes from."""
    with errors.guard("config view", output):
        from bgpctl.cli import defaults
        from bgpctl.documents import settings as documents
        from bgpctl.render import heard
        from bgpctl.render.config import RENDERERS

        whose = given(ctx, context, kubeconfig)
        found = defaults.chosen(whose)
        file = documents.where()
        heard.shown(RENDERERS[output], tuple(found.values()), defaults.context_of(whose), str(file))


@app.command()
def check(output: Report = "text") -> None:
    """Check the file, for every context: all faults at once, each with its line; exit code 2."""
    with errors.guard("config check", output):
        from bgpctl.cli import defaults
        from bgpctl.cli.app import tree
        from bgpctl.documents import settings as documents
        from bgpctl.render import heard
        from bgpctl.render.config import CHECKED

        file = documents.load()
        if faults := defaults.faults(tree(), file):
            raise UsageError("\n".join(faults), _UNTIL)
        heard.shown(CHECKED[output], str(file.path), file.settings, file.there)


@app.command("set")
def set_(
    ctx: typer.Context,
    name: Name,
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", show_default=False)],
    context: ForContext = None,
) -> None:
    """Write one setting into the file; all else in it stays as it is, with its comments."""
    with errors.guard("config set"):
        _edit(name, tuple(values), _for(ctx, context))


@app.command()
def unset(ctx: typer.Context, name: Name, context: ForContext = None) -> None:
    """Take one setting out of the file."""
    with errors.guard("config unset"):
        _edit(name, None, _for(ctx, context))


def _for(ctx: typer.Context, context: str | None) -> str | None:
    """The context that is meant, wherever it stood; None = every one. An empty name is none of both: mostly a
    variable that is not set."""
    meant = given(ctx, context, None).context if context is None else context
    if meant == "":
        raise UsageError("--context is empty", "name one, or leave it out: then it is for every cluster")
    return meant


def _edit(name: str, values: tuple[str, ...] | None, context: str | None) -> None:
    from bgpctl.cli import defaults
    from bgpctl.cli.app import tree
    from bgpctl.core.settings import known
    from bgpctl.documents import settings as documents
    from bgpctl.render.text import printable

    try:
        setting = known(name)
    except ValueError as error:
        raise UsageError(str(error), "nothing was changed") from None
    if values is not None and len(values) > 1 and not setting.many:
        raise UsageError(f"{name} takes one value, and {len(values)} were given", "nothing was changed")
    if values is not None and (refused := defaults.fault(tree(), setting, values)):
        raise UsageError(f"{name}: {refused}", "nothing was changed")
    path = documents.where()
    before = documents.edit(path, context, setting, values)
    where = f"for context {context}" if context else "for every cluster"
    done = "is not set" if values is None else f"is {' '.join(values)}"
    was = f" (it was {' '.join(before)})" if before is not None else ""
    print(printable(f"{name} {done} {where}{was}, in {path}"))

"""`bgpctl install` and `bgpctl uninstall`: the objects of bgpctl in a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bgpctl.cli import errors, flags, parse
from bgpctl.cli.flags import Context, Kubeconfig, Report, given
from bgpctl.cli.program import typed

if TYPE_CHECKING:
    from bgpctl.install.apply import Done

NAMESPACE = "bgpctl-system"  # as bgpctl.install.settings has it

NO_IMAGE = (
    "note: image {image} must be on every node already; one in a registry: --set image=REGISTRY/bgpctl:TAG"
)

Namespace = Annotated[str, typer.Option("--namespace", "-n", metavar="NS", help="Where the speakers are.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Choose something; a key that does not exist says which do. Repeatable; lists have commas.",
    ),
]
Engine = Annotated[
    Literal["external", "own"] | None,
    typer.Option(
        "--engine",
        show_default=False,
        help="The same as --set engine=…: external (the default) has ExaBGP in pods of its own, so that no "
        "upgrade of the speaker touches a session.",
    ),
]
Format = Annotated[
    Literal["yaml", "json", "text"] | None,
    typer.Option(
        "--output",
        "-o",
        show_default=False,
        help="Without --apply: yaml (the default) or json, the objects. With it: text (the default) or json, "
        "what became of each.",
    ),
]
Patience = Annotated[
    float,
    flags.duration(
        "--timeout",
        "With --wait: give up after this long (exit 4); the rollout goes on.  [default: 10m]",
        parse.positive_duration,
    ),
]


def install(
    ctx: typer.Context,
    namespace: Namespace = NAMESPACE,
    engine: Engine = None,
    chosen: Set = None,
    output: Format = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Bring the objects into the cluster (server-side apply).")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Then wait until speakers run and are ready on every node.")
    ] = False,
    timeout: Patience = 600.0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="The API server judges every object, and keeps nothing."),
    ] = False,
    force_conflicts: Annotated[
        bool,
        typer.Option(
            "--force-conflicts", help="Take fields that somebody else has set. They are named else."
        ),
    ] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the objects that bgpctl needs in a cluster, or bring them there with --apply.

    Applied again it brings what is missing or was changed, and removes what an earlier install made and this
    one does not want. Objects that no install made are left alone, and so are Cilium's own definitions.
    """
    there = apply or wait or dry_run
    shown = output or ("text" if there else "yaml")
    with errors.guard("install", shown, resumable=there):
        from bgpctl.errors import UsageError
        from bgpctl.install.manifests import manifests
        from bgpctl.install.settings import SETTINGS, options

        values = options(namespace, [*(chosen or ()), *([f"engine={engine}"] if engine else ())])
        wanted = manifests(values)
        if values["image"] == SETTINGS["image"].default:
            typer.echo(NO_IMAGE.format(image=values["image"]), err=True)
        if not there:
            from bgpctl.render.manifests import PRINTERS

            if shown == "text":
                raise UsageError("-o text tells what --apply did", "add --apply, or choose yaml or json")
            PRINTERS[shown](wanted, f"Written by: {typed()}")
            return
        if shown == "yaml":
            raise UsageError("-o yaml prints the objects, and --apply applies them", "choose text or json")
        from bgpctl.cli import wire
        from bgpctl.install.apply import apply as applied
        from bgpctl.install.rollout import follow

        client = wire.client(given(ctx, context, kubeconfig))
        done = _said(applied(client, values, wanted, force=force_conflicts, dry_run=dry_run), shown)
        if wait and not dry_run:
            for text in follow(client, wanted, timeout):
                _tell(text, shown)
        _conclude("install", done, dry_run, shown, _next(dry_run))


def _next(dry_run: bool) -> str:
    if dry_run:
        return ""
    return f"now: {typed().other('peers', 'status')}"


def uninstall(
    ctx: typer.Context,
    namespace: Namespace = NAMESPACE,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it. Without: what would be deleted, and what would stay.")
    ] = False,
    withdraw_routes: Annotated[
        bool,
        typer.Option(
            "--withdraw-routes",
            help="Also while nodes announce: with their speakers all of their routes go.",
        ),
    ] = False,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Delete what `bgpctl install` made in a cluster; say what stays. Refused while a node announces.

    The speakers end as for a restart: where graceful restart was negotiated, routers keep the routes for the
    Restart Time, else they are withdrawn at once. Definitions and their objects stay, and the namespace.
    """
    with errors.guard("uninstall", output, resumable=yes):
        from bgpctl.cli import wire
        from bgpctl.install import remove
        from bgpctl.install.apply import Done
        from bgpctl.install.manifests import words_of
        from bgpctl.install.settings import options

        options(namespace)
        client = wire.client(given(ctx, context, kubeconfig))
        what = remove.plan(client, namespace)
        if what.going and not withdraw_routes:
            remove.refuse(what, str(typed().with_flags([remove.LIFT])))
        if yes:
            done = _said(remove.remove(client, what), output)
        else:
            done = _said(iter([Done("delete", words_of(one)) for one in what.going]), output)
        kept = [Done("kept" if yes else "keep", one) for one in what.kept]
        for one in kept:
            _show(one, output)
        again = "" if yes or not what.going else f"to do it: {typed().with_flags(['--yes'])}"
        _conclude("uninstall", [*done, *kept], not yes, output, again)


def _said(done: Iterator[Done], output: str) -> list[Done]:
    """All of it, each told when it is done."""
    found = []
    for one in done:
        found.append(one)
        _show(one, output)
    return found


def _show(one: Done, output: str) -> None:
    if output == "text":
        from bgpctl.render import install as rows
        from bgpctl.render.terminal import write

        write([rows.row(one)])


def _tell(text: str, output: str) -> None:
    typer.echo(text, err=output != "text")


def _conclude(command: str, done: list[Done], planned: bool, output: str, then: str) -> None:
    from bgpctl.render import install as rows
    from bgpctl.render.envelope import write_json
    from bgpctl.render.terminal import width, write

    if output == "json":
        write_json(rows.document(command, done, planned))
        return
    write(rows.last(rows.summary(done, planned), width()))
    if then:
        typer.echo(then)

"""`bgpctl install` and `bgpctl uninstall`: the objects of bgpctl in a cluster."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from bgpctl.cli import errors, flags, parse
from bgpctl.cli.flags import Context, Kubeconfig, Report, given
from bgpctl.cli.program import typed

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
        bool,
        typer.Option("--wait", help="With --apply: wait until speakers run and are ready on every node."),
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
    there = apply or dry_run
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

            if wait:
                raise UsageError(
                    "--wait waits for what --apply brings; nothing was changed",
                    f"to do it: {typed().with_flags(['--apply'])}",
                )
            if shown == "text":
                raise UsageError("-o text tells what --apply did", "add --apply, or choose yaml or json")
            PRINTERS[shown](wanted, f"Written by: {typed()}")
            return
        if shown == "yaml":
            raise UsageError("-o yaml prints the objects, and --apply applies them", "choose text or json")
        from bgpctl.cli import wire
        from bgpctl.install.apply import apply as applied
        from bgpctl.install.rollout import follow
        from bgpctl.render.install import Teller
        from bgpctl.render.text import line

        client = wire.client(given(ctx, context, kubeconfig))
        told = Teller("install", shown, planned=dry_run)
        told.follow(applied(client, values, wanted, force=force_conflicts, dry_run=dry_run))
        if wait and not dry_run:
            for text in follow(client, wanted, timeout):
                told.say(line(text))
        told.end("" if dry_run else f"now: {typed().other('peers', 'status')}")


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
        from bgpctl.render.install import Teller

        options(namespace)
        client = wire.client(given(ctx, context, kubeconfig))
        what = remove.plan(client, namespace)
        if what.going and not withdraw_routes:
            remove.refuse(what, str(typed().with_flags([remove.LIFT])))
        told = Teller("uninstall", output, planned=not yes)
        planned = (Done("delete", words_of(one)) for one in what.going)
        told.follow(remove.remove(client, what) if yes else planned)
        told.follow(Done("kept" if yes else "keep", one) for one in what.kept)
        told.end("" if yes or not what.going else f"to do it: {typed().with_flags(['--yes'])}")

"""`gandt teams`: the private work teams of an account, listed and created."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.job_output import say
from gandt.cli.output import note, print_json
from gandt.words import count

if TYPE_CHECKING:
    from gandt.jobs.teams import Team

__all__ = ["CREATE_EXAMPLE", "TEAMS_EXAMPLE", "teams"]

TEAMS_EXAMPLE = "gandt teams --region eu-west-1"
CREATE_EXAMPLE = (
    'gandt teams create labelers --description "Who labels our images" --member ann@example.com'
)

teams = typer.Typer(
    name="teams",
    invoke_without_command=True,
    help="Private work teams: list them, create one, invite people.",
    epilog=f"\b\nExample:\n  {TEAMS_EXAMPLE}",
)

Region = Annotated[
    str | None, typer.Option(help="AWS Region of the teams.", show_default="of your AWS settings")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@teams.callback()
def list_all(
    context: typer.Context,
    region: Region = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="Count the jobs of each team.")] = False,
    json: Json = False,
) -> None:
    """Private work teams: list them, create one, invite people."""
    if context.invoked_subcommand is not None:
        return
    from gandt.jobs.teams import list_teams

    found = list_teams(region, jobs=jobs)
    if json:
        print_json({"teams": [dataclasses.asdict(team) for team in found]})
        return
    if not found:
        note("No private team here; `gandt teams create NAME --description …` makes one.")
    for number, team in enumerate(found):
        if number:
            typer.echo()
        say(_lines(team))


@teams.command("create", epilog=f"\b\nExample:\n  {CREATE_EXAMPLE}")
def create(
    name: Annotated[str, typer.Argument(help="Name of the team.", show_default=False)],
    description: Annotated[
        str, typer.Option(help="What the team is; its people see it.", show_default=False)
    ],
    group: Annotated[
        str | None,
        typer.Option(
            help="Group of Cognito; created where it is missing.", show_default="as the team"
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(help="User pool of Cognito.", show_default="of the private workforce"),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(help="App client of Cognito.", show_default="of the private workforce"),
    ] = None,
    oidc_group: Annotated[
        list[str] | None,
        typer.Option(help="Group of your own identity provider.", show_default=False),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EMAIL", help="Person to invite; AWS sends the message.", show_default=False
        ),
    ] = None,
    region: Region = None,
    json: Json = False,
) -> None:
    """Create a private team in the account's workforce, and invite people into it.

    Run it again with more --member to invite more.
    """
    from gandt.jobs.teams import create_team

    made = create_team(
        name,
        description,
        region=region,
        group=group,
        pool=pool,
        client=client,
        oidc_groups=tuple(oidc_group or ()),
        members=tuple(member or ()),
    )
    if json:
        print_json(dataclasses.asdict(made))
        return
    lines = _lines(made.team)
    if made.invited:
        lines.append(("invited", ", ".join(made.invited)))
    if made.added:
        lines.append(("added", f"{', '.join(made.added)}; they have an account already"))
    lines.append(("next", f"gandt launch MANIFEST --workteam {made.team.name} …"))
    say(lines)
    if made.before:
        note(f"Team {name} was there already.")


def _lines(team: Team) -> list[tuple[str, str]]:
    lines = [("team", team.name)]
    if team.description:
        lines.append(("about", team.description))
    lines.append(("people", "; ".join(team.members)))
    lines.append(("portal", team.portal or "has no address yet"))
    lines.append(("arn", team.arn))
    if team.jobs is not None:
        lines.append(("jobs", count(team.jobs, "job")))
    return lines

"""Private teams are listed, created in the account's workforce, and people invited into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gandt.aws import AwsError
from gandt.errors import JobError, UsageError
from gandt.jobs.teams import create_team, list_teams, private_workforce

if TYPE_CHECKING:
    from aws_fixtures import Aws

REGION = "us-east-1"
ABOUT = "Who labels our images"


class TestListing:
    def test_all_that_people_need_to_know(self, aws: Aws) -> None:
        aws.sagemaker.add_team("Annotators")
        teams = list_teams(REGION)
        assert [team.name for team in teams] == ["Annotators", "labelers"]
        (pool,) = aws.cognito.pools
        team = teams[1]
        assert team.arn == aws.team
        assert team.members == (f"group labelers of user pool {pool}",)
        assert team.portal == "https://ab12cd34ef.labeling.us-east-1.sagemaker.aws"
        assert team.description == "The team labelers"
        assert team.jobs is None
        assert list_teams("eu-west-1") == []

    def test_the_jobs_of_each_where_they_are_asked_for(self, aws: Aws) -> None:
        bucket = aws.bucket()
        uri = bucket.put("a.png", b"")
        request = aws.image_job("Round-1", ["cat", "dog"], [uri], bucket=bucket)
        aws.call("sagemaker", "create_labeling_job", **request)
        aws.sagemaker.add_team("idle")
        assert [(t.name, t.jobs) for t in list_teams(REGION, jobs=True)] == [
            ("idle", 0),
            ("labelers", 1),
        ]
        aws.deny("sagemaker:ListLabelingJobsForWorkteam")
        assert [team.jobs for team in list_teams(REGION, jobs=True)] == [None, None]

    def test_groups_of_ones_own_identity_provider(self, aws: Aws) -> None:
        aws.sagemaker.add_workforce("eu-west-1", oidc=True)
        aws.sagemaker.add_team("nurses", "eu-west-1")
        (team,) = list_teams("eu-west-1")
        assert team.members == ("group nurses of your identity provider",)

    def test_a_refusal_names_the_permission(self, aws: Aws) -> None:
        aws.deny("sagemaker:ListWorkteams")
        with pytest.raises(AwsError, match="ask for the permission sagemaker:ListWorkteams"):
            list_teams(REGION)

    def test_the_workforce(self, aws: Aws) -> None:
        workforce = private_workforce(REGION)
        assert workforce is not None
        assert workforce.pool in aws.cognito.pools
        assert (workforce.name, workforce.status, workforce.issuer) == ("default", "Active", None)
        assert private_workforce("eu-west-1") is None


class TestCreating:
    def test_pool_client_and_group_are_found_or_made(self, aws: Aws) -> None:
        made = create_team("readers", ABOUT, region=REGION)
        (pool,) = aws.cognito.pools.values()
        assert "readers" in pool.groups
        assert made.group_created
        assert not made.before
        assert made.team.members == (f"group readers of user pool {pool.id}",)
        (call,) = aws.log.named("CreateWorkteam")
        assert call.request["Description"] == ABOUT
        assert call.request["MemberDefinitions"] == [
            {
                "CognitoMemberDefinition": {
                    "UserPool": pool.id,
                    "UserGroup": "readers",
                    "ClientId": pool.clients[0],
                }
            }
        ]
        assert [team.name for team in list_teams(REGION)] == ["labelers", "readers"]

    def test_a_group_that_is_there_is_used(self, aws: Aws) -> None:
        made = create_team("second", ABOUT, region=REGION, group="labelers")
        assert not made.group_created

    def test_people_are_invited_and_those_with_an_account_are_added(self, aws: Aws) -> None:
        (pool,) = aws.cognito.pools.values()
        create_team("readers", ABOUT, region=REGION, members=["ann@example.com"])
        made = create_team(
            "readers",
            ABOUT,
            region=REGION,
            members=["ann@example.com", "ben@example.com", "ben@example.com"],
        )
        assert made.before
        assert (made.invited, made.added) == (("ben@example.com",), ("ann@example.com",))
        assert pool.groups["readers"] == {"ann@example.com", "ben@example.com"}
        assert pool.users["ann@example.com"]["email_verified"] == "true"
        assert len(aws.log.named("CreateWorkteam")) == 1

    def test_a_call_that_broke_off_is_made_again(self, aws: Aws) -> None:
        aws.fail("CreateWorkteam", "ValidationException", "injected")
        with pytest.raises(AwsError, match="sagemaker:CreateWorkteam in us-east-1 failed: inject"):
            create_team("readers", ABOUT, region=REGION, members=["ann@example.com"])
        made = create_team("readers", ABOUT, region=REGION, members=["ann@example.com"])
        assert not made.before
        assert made.invited == ("ann@example.com",)

    def test_pool_and_client_of_ones_own(self, aws: Aws) -> None:
        (pool,) = aws.cognito.pools.values()
        made = create_team("readers", ABOUT, region=REGION, pool=pool.id, client=pool.clients[0])
        assert made.team.members == (f"group readers of user pool {pool.id}",)
        assert aws.log.named("ListWorkforces") == []

    def test_groups_of_an_identity_provider(self, aws: Aws) -> None:
        aws.sagemaker.add_workforce("eu-west-1", oidc=True)
        made = create_team("nurses", ABOUT, region="eu-west-1", oidc_groups=["ward-1", "ward-2"])
        assert made.team.members == ("groups ward-1, ward-2 of your identity provider",)
        assert not made.group_created


class TestRefusals:
    def test_no_workforce_yet_says_the_one_step_that_is_missing(self, aws: Aws) -> None:
        with pytest.raises(JobError) as raised:
            create_team("readers", ABOUT, region="eu-west-1")
        said = str(raised.value)
        assert said.startswith("there is no private workforce in eu-west-1 yet")
        assert "https://eu-west-1.console.aws.amazon.com/sagemaker/groundtruth" in said
        assert "aws sagemaker create-workforce --workforce-name default --cognito-config" in said
        assert aws.log.named("CreateGroup") == []

    def test_a_name_that_is_taken_by_other_people(self, aws: Aws) -> None:
        with pytest.raises(JobError, match="there is a team labelers in us-east-1 already"):
            create_team("labelers", ABOUT, region=REGION, group="others")
        assert aws.log.named("CreateGroup") == []

    def test_a_kind_of_group_that_the_workforce_does_not_have(self, aws: Aws) -> None:
        with pytest.raises(UsageError, match="rests on Cognito: use --group"):
            create_team("readers", ABOUT, region=REGION, oidc_groups=["g"])
        aws.sagemaker.add_workforce("eu-west-1", oidc=True)
        with pytest.raises(UsageError, match="name its groups with --oidc-group"):
            create_team("readers", ABOUT, region="eu-west-1")

    def test_a_pool_that_does_not_exist(self, aws: Aws) -> None:
        with pytest.raises(JobError, match="there is no user pool us-east-1_NoPool"):
            create_team("readers", ABOUT, region=REGION, pool="us-east-1_NoPool", client="c")

    def test_as_many_teams_as_there_may_be(self, aws: Aws) -> None:
        for number in range(24):
            aws.sagemaker.add_team(f"team-{number}")
        with pytest.raises(JobError, match="has as many teams as the account may have"):
            create_team("readers", ABOUT, region=REGION)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"name": "a_b"}, "the team's name 'a_b' is not possible"),
            ({"description": ""}, "--description"),
            ({"description": "x" * 201}, "--description"),
            ({"description": "a\nb"}, "--description"),
            ({"pool": "us-east-1_x"}, "--pool and --client go together"),
            ({"group": "two words"}, "--group"),
            ({"members": ["ann"]}, "--member 'ann': give an e-mail address"),
            ({"members": [f"{n}@example.com" for n in range(51)]}, "at most 50 people"),
            ({"oidc_groups": ["g"], "members": ["a@b.example"]}, "--oidc-group goes without"),
            ({"oidc_groups": [f"g{n}" for n in range(11)]}, "at most 10 groups"),
        ],
    )
    def test_what_breaks_the_rules_is_not_sent(
        self, aws: Aws, options: dict[str, object], message: str
    ) -> None:
        arguments: dict[str, object] = {"name": "readers", "description": ABOUT} | options
        with pytest.raises(UsageError, match=message):
            create_team(region=REGION, **arguments)  # type: ignore[arg-type]
        assert len(aws.log) == 0

    @pytest.mark.parametrize(
        "action",
        ["sagemaker:ListWorkforces", "sagemaker:CreateWorkteam", "cognito-idp:CreateGroup"],
    )
    def test_a_permission_that_is_lacking_is_named(self, aws: Aws, action: str) -> None:
        aws.deny(action)
        with pytest.raises(AwsError, match=f"ask for the permission {action}"):
            create_team("readers", ABOUT, region=REGION)

"""The fixture `aws`: an account of AWS on loopback, found by boto3 and `gandt` by the environment.

::

    def test_a_job(aws):
        bucket = aws.bucket("groundtruth-demo")           # CORS is set; `cors=False`, `region=`
        uri = bucket.put("in/cat.png", png)               # past HTTP; also .get, .keys, .uri
        request = aws.image_job("Round-1", ["cat", "dog"], {uri: "cat"})   # a valid request
        aws.call("sagemaker", "create_labeling_job", **request)            # or `gandt launch …`
        aws.sagemaker.work("Round-1", truth={uri: "cat"})  # or objects=5, workers=crew(3), over=2.0
        assert aws.describe("Round-1")["LabelingJobStatus"] == "Completed"  # its output is in S3

`aws.role`, `aws.team` are ARNs that exist (team "labelers"), `aws.region`, `aws.account`.
Refuse things: `aws.fail("DescribeLabelingJob", "ThrottlingException", times=2)`,
`aws.deny("iam:GetRole")`, `aws.sagemaker.open = False` (no access to Ground Truth),
`aws.iam.role("GroundTruthRole").bar("s3:PutObject")`, `aws.sts.assume("Admin")`. Add things:
`aws.lambdas.add("gandt-PreLabelingFunction")`, `aws.kms.add()`, `aws.sagemaker.add_team("two")`.
A job is Initializing until it is looked at or worked on; by default a little goes wrong, unless
`misbehavior=Misbehavior.none()`; what workers may be like is in `simulated_workers.QUIRKS`.
Everything asked is in `aws.log.named("CreateLabelingJob")[0].request`. S3 itself fails by
`aws.s3.fail(status="503 Slow Down", code="SlowDown", method="PUT")`, see `s3_server.Fault`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aws_account import Iam, Kms, Lambda, Sts
from aws_objects import ACCOUNT, AwsBucket, Objects
from aws_people import Cognito
from aws_rules import BUILT_IN
from aws_sagemaker import SageMaker
from aws_server import AwsServer, Log
from s3_server import ENVIRONMENT, S3Server

REGION = "us-east-1"
_CLASSIFIER = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-image-classifier name="crowd-image-classifier" header="What is it?"
    src="{{ task.input.taskObject | grant_read_access }}"
    categories="{{ task.input.labels | to_json | escape }}"></crowd-image-classifier>
</crowd-form>"""
_names = itertools.count()
_clients: dict[Any, Any] = {}  # of boto3; making one takes a quarter of a second
_s3_clients: dict[int, Any] = {}


class Aws:
    """The account of one test."""

    region = REGION
    account = ACCOUNT

    def __init__(self, server: AwsServer, s3: S3Server) -> None:
        self.server = server
        self.s3 = s3
        self.objects = Objects()
        self.iam, self.lambdas = Iam(), Lambda()
        self.sts = Sts(self.iam)
        self.kms, self.cognito = Kms(), Cognito()
        self.sagemaker = SageMaker(self.objects, self.iam, self.lambdas, self.cognito)
        self.role = self.iam.role("GroundTruthRole").arn
        self.team = self.sagemaker.add_team("labelers")
        self.public_team = f"arn:aws:sagemaker:{REGION}:394669845002:workteam/public-crowd/default"
        server.services = {
            "sagemaker": self.sagemaker,
            "iam": self.iam,
            "sts": self.sts,
            "lambda": self.lambdas,
            "kms": self.kms,
            "cognito-idp": self.cognito,
        }
        self.fail = server.fail
        self.deny = server.deny
        self.environment = {
            **ENVIRONMENT,
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ENDPOINT_URL_SAGEMAKER": server.endpoint,
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
        }

    @property
    def log(self) -> Log:
        return self.server.log

    def bucket(
        self, name: str | None = None, *, region: str = REGION, cors: bool = True
    ) -> AwsBucket:
        """Make a bucket, new and empty; workers' browsers may read it unless `cors` is False."""
        name = f"sagemaker-{next(_names)}" if name is None else name
        return AwsBucket(self.s3, name, region, cors=cors)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation by boto3, as `gandt` does."""
        from gandt.aws import call

        return call(service, operation, self.region, **parameters)

    def describe(self, name: str) -> dict[str, Any]:
        """Ask for a job by boto3; the first look lets a new job begin."""
        return self.call("sagemaker", "describe_labeling_job", LabelingJobName=name)

    def built_in(self, step: str, code: str, region: str = REGION) -> str:
        """ARN of a built-in function: step "PRE" or "ACS"."""
        return f"arn:aws:lambda:{region}:{BUILT_IN[region]}:function:{step}-{code}"

    def image_job(
        self,
        name: str,
        labels: Sequence[str],
        truth: Mapping[str, object] | Sequence[str],
        *,
        bucket: AwsBucket | None = None,
        workers: int = 3,
        **human: Any,
    ) -> dict[str, Any]:
        """Put manifest, categories and page of an image classification on S3.

        Returns the request; `human` are further fields of its HumanTaskConfig.
        """
        bucket = self.bucket() if bucket is None else bucket
        lines = "".join(json.dumps({"source-ref": uri}) + "\n" for uri in truth)
        document = {"document-version": "2018-11-28", "labels": [{"label": x} for x in labels]}
        return self.job_request(
            name,
            "ImageMultiClass",
            manifest=bucket.put(f"{name}/input.manifest", lines.encode()),
            categories=bucket.put(f"{name}/categories.json", json.dumps(document).encode()),
            template=bucket.put(f"{name}/page.liquid", _CLASSIFIER.encode()),
            output=bucket.uri("output"),
            NumberOfHumanWorkersPerDataObject=workers,
            **human,
        )

    def job_request(
        self,
        name: str,
        code: str,
        *,
        manifest: str,
        output: str,
        categories: str | None = None,
        template: str | None = None,
        attribute: str = "label",
        **human: Any,
    ) -> dict[str, Any]:
        """Make a request for a job of a built-in task, or of a custom one (code "")."""
        page = f"arn:aws:sagemaker:{REGION}:394669845002:human-task-ui/{code}"
        functions: dict[str, Any] = {}
        if code:
            functions = {
                "PreHumanTaskLambdaArn": self.built_in("PRE", code),
                "AnnotationConsolidationConfig": {
                    "AnnotationConsolidationLambdaArn": self.built_in("ACS", code)
                },
            }
        return {
            "LabelingJobName": name,
            "LabelAttributeName": attribute,
            "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}},
            "OutputConfig": {"S3OutputPath": output},
            "RoleArn": self.role,
            **({"LabelCategoryConfigS3Uri": categories} if categories else {}),
            "HumanTaskConfig": {
                "WorkteamArn": self.team,
                "UiConfig": {"UiTemplateS3Uri": template} if template else {"HumanTaskUiArn": page},
                **functions,
                "TaskTitle": "Choose a label",
                "TaskDescription": "Choose the label that fits.",
                "NumberOfHumanWorkersPerDataObject": 3,
                "TaskTimeLimitInSeconds": 300,
                **human,
            },
        }


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AwsServer]:
    """What answers for AWS beside S3."""
    server = AwsServer()
    yield server
    server.stop()


@pytest.fixture
def aws(
    aws_server: AwsServer,
    s3_server: S3Server,
    _own_home: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Aws]:
    """An account of AWS on loopback; see the module."""
    import gandt.aws
    from gandt.serving.lambdas import payload
    from gandt.storage import s3_client

    aws_server.reset()
    s3_server.reset()
    account = Aws(aws_server, s3_server)
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(gandt.aws, "_clients", _clients)
    monkeypatch.setattr(s3_client, "_clients", _s3_clients)
    payload.client.cache_clear()
    yield account
    account.sagemaker.join()
    payload.client.cache_clear()
    s3_server.reset()

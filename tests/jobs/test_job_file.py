"""Settings from a TOML file: every option has a key, and what is wrong is said with its remedy."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from gandt.errors import UsageError
from gandt.jobs.job_file import make_settings, parse_duration, read_job_file, split_labels
from gandt.jobs.settings import JobSettings

JOB = """
manifest = "round1.manifest"
task = "image-classification"
labels = ["cat", "dog", "Other"]
bucket = "my-groundtruth-bucket"
role = "arn:aws:iam::123456789012:role/GroundTruth"
workteam = "cat-people"
task-time = "5m"
availability = "10d"
workers = 5
automated = true
price = 0.036
subnets = ["subnet-1"]

[tags]
project = "pets"
"""


def test_a_file_says_what_the_options_say(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(JOB)
    settings = make_settings(read_job_file(str(tmp_path / "job.toml")))
    assert settings == JobSettings(
        manifest=f"{tmp_path}/round1.manifest",
        task="image-classification",
        labels=("cat", "dog", "Other"),
        bucket="my-groundtruth-bucket",
        role="arn:aws:iam::123456789012:role/GroundTruth",
        workteam="cat-people",
        task_seconds=300,
        availability_seconds=864_000,
        workers=5,
        automated=True,
        price="0.036",
        subnets=("subnet-1",),
        tags={"project": "pets"},
    )


def test_paths_are_relative_to_the_file_and_pages_are_names(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text('manifest = "s3://b/m"\ntemplate = "tiles"\n')
    assert read_job_file(str(tmp_path / "job.toml")) == {
        "manifest": "s3://b/m",
        "template": "tiles",
    }
    (tmp_path / "job.toml").write_text('manifest = "/m"\ntemplate = "pages/own.html"\n')
    assert read_job_file(str(tmp_path / "job.toml")) == {
        "manifest": "/m",
        "template": f"{tmp_path}/pages/own.html",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("workers = 'three'", "workers = 'three' should be a whole number"),
        ("workers = true", "workers = True should be a whole number"),
        ("automated = 1", "automated = 1 should be true or false"),
        ("bucket = 7", "bucket = 7 should be a text"),
        ("labels = [1, 2]", r"labels = \[1, 2\] should be a list of texts"),
        ("tags = 'a'", "tags = 'a' should be a table of texts"),
        ("tags = {a = true}", "tags = {'a': True} should be a table of texts"),
        ("tags = {a = {}}", "tags = {'a': {}} should be a table of texts"),
        ("worker = 3", "no setting 'worker'; did you mean workers"),
        ("task-secs = 3", "no setting 'task-secs'; did you mean task"),
        ("shoe-size = 3", "no setting 'shoe-size'; there are .*, labels, .*, task-time"),
        ("task-time = 'soon'", "'soon' is no time: write 90s, 5m, 2h or 10d"),
        ("workers = ", "is not TOML"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(f"{line}\n")
    with pytest.raises(UsageError, match=said):
        read_job_file(str(tmp_path / "job.toml"))


def test_what_is_missing_is_listed_at_once() -> None:
    with pytest.raises(UsageError, match="needs --bucket, --role and --workteam too"):
        make_settings({"manifest": "m", "task": "custom"})


def test_a_setting_that_is_empty_is_not_taken_for_none(tmp_path: Path) -> None:
    for key in ("kms-key", "region", "template"):
        (tmp_path / "job.toml").write_text(f"{key} = ''\n{JOB}")
        with pytest.raises(UsageError, match=f"--{key} is empty: leave it out"):
            make_settings(read_job_file(str(tmp_path / "job.toml")))
    (tmp_path / "job.toml").write_text(f"prefix = ''\n{JOB}")
    assert make_settings(read_job_file(str(tmp_path / "job.toml"))).prefix == ""


def test_a_bucket_may_be_written_as_an_address(tmp_path: Path) -> None:
    text = JOB.replace('"my-groundtruth-bucket"', '"s3://my-groundtruth-bucket/"')
    (tmp_path / "job.toml").write_text(text)
    found = make_settings(read_job_file(str(tmp_path / "job.toml")))
    assert found.bucket == "my-groundtruth-bucket"


def test_every_setting_can_stand_in_a_file(tmp_path: Path) -> None:
    values = {"str": '"x"', "int": "7", "boo": "true", "tup": '["x"]', "Map": '{k = "v"}'}
    for field in fields(JobSettings):
        if field.name.endswith("_seconds"):
            continue
        path = tmp_path / f"{field.name}.toml"
        path.write_text(f"{field.name.replace('_', '-')} = {values[str(field.type)[:3]]}\n")
        assert list(read_job_file(str(path))) == [field.name]


def test_labels_from_a_file_may_hold_commas(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cats, large\n\n dogs \n")
    assert split_labels(f"@{tmp_path}/labels.txt") == ("cats, large", "dogs")
    assert split_labels("cat, dog") == ("cat", "dog")
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(UsageError, match="holds no name"):
        split_labels(f"@{tmp_path}/none.txt")


@pytest.mark.parametrize(
    ("text", "seconds"), [(90, 90), ("90", 90), ("90s", 90), ("5m", 300), ("2 h", 7200)]
)
def test_durations(text: str | int, seconds: int) -> None:
    assert parse_duration(text, "--task-time") == seconds

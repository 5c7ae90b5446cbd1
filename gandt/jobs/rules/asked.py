"""A request for a labeling job, opened for the rules that judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gandt.jobs.regions import Arn, Workforce
from gandt.jobs.tasks import TaskType

__all__ = ["Asked"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the model has nothing against, and what is read off it."""

    request: Mapping[str, Any]
    human: Mapping[str, Any]
    task: TaskType
    team: Arn
    people: Workforce | None

    @property
    def vpc(self) -> object:
        """The VPC of automated labeling, or None."""
        resources = self.automation.get("LabelingJobResourceConfig", {})
        return resources.get("VpcConfig")

    @property
    def automation(self) -> Mapping[str, Any]:
        """The settings of automated labeling; empty without."""
        found: Mapping[str, Any] = self.request.get("LabelingJobAlgorithmsConfig", {})
        return found

    @property
    def functions(self) -> dict[str, str]:
        """ARNs of the Lambda functions, by the name of the field."""
        after = self.human.get("AnnotationConsolidationConfig", {})
        found = {
            "PreHumanTaskLambdaArn": self.human.get("PreHumanTaskLambdaArn"),
            "AnnotationConsolidationLambdaArn": after.get("AnnotationConsolidationLambdaArn"),
        }
        return {name: arn for name, arn in found.items() if arn is not None}

    @property
    def streaming(self) -> bool:
        """Whether objects come from a topic as well."""
        return "SnsDataSource" in self.request["InputConfig"]["DataSource"]

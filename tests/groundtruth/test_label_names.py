"""A label attribute has a name that a labeling job could have, whatever it was made from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.answers import Kind
from gandt.groundtruth.augment import default_attribute
from gandt.groundtruth.label_names import check_attribute, check_job_name


class TestDefaultAttribute:
    @pytest.mark.parametrize(
        ("name", "attribute"),
        [
            ("/data/round1/", "round1"),
            ("s3://bucket/jobs/Runde 2 (Fraß)", "Runde-2-Fra"),
            ("Zoë", "Zoe"),
            ("gandt-gandt-x", "x"),
            ("gandt", "labels"),
            ("x-ref-metadata-ref", "x"),
            ("source", "labels"),
            ("source-ref", "labels"),
            ("/", "labels"),
            ("猫", "labels"),
        ],
    )
    def test_the_last_part_of_a_path_made_legal(self, name: str, attribute: str) -> None:
        assert default_attribute(name) == attribute

    def test_masks_have_their_ending(self) -> None:
        assert default_attribute("/data/parts", kind="mask") == "parts-ref"
        assert default_attribute("/data/parts-ref", kind="mask") == "parts-ref"

    @given(
        name=st.text() | st.text("-_ /ref"),
        prefix=st.sampled_from(["", "gandt-", "source", "-"]),
        suffix=st.sampled_from(["", "-ref", "-metadata", "/"]),
        kind=st.sampled_from(["single", "multi", "boxes", "spans", "mask"]),
    )
    def test_whatever_the_name_a_job_could_have_it(
        self, name: str, prefix: str, suffix: str, kind: Kind
    ) -> None:
        attribute = default_attribute(prefix + name + suffix, kind=kind)
        check_attribute(attribute, kind)
        check_job_name(attribute)

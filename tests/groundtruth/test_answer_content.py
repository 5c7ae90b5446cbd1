"""One `answerContent` becomes one label, whatever the template called its fields."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from gandt.answers import Box, Mask, Span
from gandt.groundtruth.answer_content import SeveralFields, decode_content, image_size
from gandt.groundtruth.answer_labels import read_label
from gandt.groundtruth.class_names import ClassNames
from gandt.groundtruth.label_values import LeftOut

ANY = ClassNames()


def label_of(content: object, field: str | None = None, **more: object) -> object:
    found = decode_content(content, field)
    label, problems = read_label(found.shape, found.value, ANY, size=image_size(found), **more)
    assert problems == []
    return label


class TestWidgets:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ({"crowd-image-classifier": {"label": "Cat"}}, "Cat"),
            ({"crowd-classifier": {"label": " positive "}}, "positive"),
            ({"my-name": {"label": "Cat"}}, "Cat"),
            ({"check": {"label": "bad", "workerComment": "The box is too small."}}, "bad"),
            (
                {"crowd-image-classifier-multi-select": {"labels": ["Cat", "Dog", "Cat"]}},
                ("Cat", "Dog"),
            ),
            ({"crowd-classifier-multi-select": {"labels": ["food"]}}, ("food",)),
            (
                {"boundingBox": {"boundingBoxes": [], "initialValueModified": True}},
                (),
            ),
            (
                {
                    "boundingBox": {
                        "boundingBoxes": [
                            {"label": "Dog", "left": 1, "top": 2.5, "width": 3, "height": 4}
                        ]
                    }
                },
                (Box("Dog", 1.0, 2.5, 3.0, 4.0),),
            ),
            (
                {
                    "crowd-entity-annotation": {
                        "entities": [{"label": "Person", "startOffset": 0, "endOffset": 3}]
                    }
                },
                (Span("Person", 0, 3),),
            ),
            ({"crowd-entity-annotation": {"entities": []}}, ()),
        ],
    )
    def test_each_gives_its_label(self, content: object, expected: object) -> None:
        assert label_of(content) == expected


class TestPlainInputs:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ({"quality": {"1": False, "2": False, "3": True}}, ("3",)),
            ({"problems": {"blurry": True, "dark": True}}, ("blurry", "dark")),
            ({"problems": {"blurry": False}}, ()),
            ({"category": "Cat"}, "Cat"),
            ({"rating": 4}, "4"),
            ({"rating": 4.5}, "4.5"),
            ({"tags": '["Cat", "Dog"]'}, ("Cat", "Dog")),
            ({"tags": ["Cat"]}, ("Cat",)),
            ({"answer": '{"label": "Cat"}'}, "Cat"),
            (
                {"boxes": '[{"label": "Dog", "left": 1, "top": 2, "width": 3, "height": 4}]'},
                (Box("Dog", 1, 2, 3, 4),),
            ),
            ({"spans": [{"label": "A", "startOffset": 0, "endOffset": 2}]}, (Span("A", 0, 2),)),
        ],
    )
    def test_each_gives_its_label(self, content: object, expected: object) -> None:
        assert label_of(content) == expected


class TestWrappings:
    @pytest.mark.parametrize(
        "content",
        [
            {"annotatedResult": {"label": "Cat"}},
            {"annotatedResult": '{"label": "Cat"}'},
            {"annotatedResult": {"category": "Cat"}},
            '{"crowd-classifier": {"label": "Cat"}}',
            [{"crowd-classifier": {"label": "Cat"}}],
            {"label": "Cat"},
        ],
        ids=str,
    )
    def test_they_are_taken_off(self, content: object) -> None:
        assert label_of(content) == "Cat"

    def test_tiles_within_an_annotated_result(self) -> None:
        content = decode_content({"annotatedResult": {"labels-3": '["Cat"]'}})
        assert content.tiles == {3: '["Cat"]'}

    @pytest.mark.parametrize("name", ["labels-3", "labels_3", "label3", "Labels-3", "tile-3"])
    def test_spellings_of_tile_fields(self, name: str) -> None:
        assert decode_content({name: '["Cat"]'}).tiles == {3: '["Cat"]'}

    def test_a_field_that_only_sounds_like_a_tile(self) -> None:
        assert label_of({"label-1": "Cat"}) == "Cat"


class TestChoiceOfField:
    def test_a_widget_goes_before_inputs(self) -> None:
        content = {"crowd-classifier": {"label": "Cat"}, "sure": {"yes": True}, "note": "hm"}
        assert label_of(content) == "Cat"

    def test_choices_go_before_text(self) -> None:
        assert label_of({"sure": {"yes": True, "no": False}, "why": "it is"}) == ("yes",)

    def test_comments_are_no_labels(self) -> None:
        assert label_of({"category": "Cat", "worker-comment": "hm"}) == "Cat"

    def test_two_of_a_kind_need_a_choice(self) -> None:
        content = {"animal": {"label": "Cat"}, "color": {"label": "red"}}
        with pytest.raises(SeveralFields) as caught:
            decode_content(content)
        assert caught.value.fields == {"animal": "one label", "color": "one label"}
        assert label_of(content, "color") == "red"

    def test_a_name_of_awss_own_templates_decides(self) -> None:
        assert label_of({"crowd-classifier": {"label": "Cat"}, "x": {"label": "red"}}) == "Cat"

    def test_a_field_that_is_not_there_is_an_empty_answer(self) -> None:
        with pytest.raises(LeftOut) as caught:
            decode_content({"a": "x"}, "b")
        assert caught.value.kind == "empty"


class TestWhatIsNoAnswer:
    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            ({}, "empty"),
            ({"c": {"label": ""}}, "empty"),
            ({"c": {"labels": []}}, "empty"),
            ({"c": {"label": None}}, "empty"),
            ({"c": ""}, "empty"),
            (None, "unreadable"),
            ("free text", "unreadable"),
            ([], "unreadable"),
            ({"c": {"label": {"x": 1}}}, "unreadable"),
            ({"c": {"labels": [["x"]]}}, "unreadable"),
            ({"c": {"label": "\ud800"}}, "unreadable"),
            ({"c": {"boundingBoxes": "x"}}, "unreadable"),
            ({"c": {"boundingBoxes": [{"label": "Dog", "left": 1}]}}, "unreadable"),
            (
                {"c": {"boundingBoxes": [dict(label="D", left="x", top=1, width=1, height=1)]}},
                "unreadable",
            ),
            (
                {"c": {"boundingBoxes": [dict(label="D", left=1, top=1, width=0, height=1)]}},
                "empty box",
            ),
            ({"c": {"entities": [dict(label="D", startOffset=5, endOffset=2)]}}, "span outside"),
            ({"c": {"entities": [dict(label="D", startOffset=0.5, endOffset=2)]}}, "unreadable"),
            ({"c": {"polygons": []}}, "unsupported"),
            ({"c": {"keypoints": []}}, "unsupported"),
            ({"c": {"labeledImage": {}}}, "unreadable"),
            (
                {"c": {"labeledImage": {"pngImageData": "!"}, "labelMappings": {"a": 1}}},
                "unreadable",
            ),
        ],
        ids=str,
    )
    def test_it_says_what_kind_of_oddity_it_is(self, content: object, kind: str) -> None:
        with pytest.raises(LeftOut) as caught:
            label_of(content)
        assert caught.value.kind == kind


class TestParts:
    def test_boxes_are_cut_at_the_border_and_empty_ones_left_out(self) -> None:
        boxes = [
            dict(label="Dog", left=-1.5, top=0, width=11.5, height=5),
            dict(label="Dog", left=200, top=0, width=10, height=5),
        ]
        label, problems = read_label("boxes", boxes, ANY, size=(100, 100))
        assert label == (Box("Dog", 0, 0, 10, 5),)
        assert [kind for kind, _ in problems] == ["empty box"]

    def test_boxes_inside_keep_their_numbers_to_the_last_digit(self) -> None:
        box = dict(label="Dog", left=101.33333333333333, top=0.1, width=0.7, height=0.2)
        label, _ = read_label("boxes", [box], ANY, size=(800, 600))
        assert label == (Box("Dog", 101.33333333333333, 0.1, 0.7, 0.2),)

    def test_spans_end_within_the_text(self) -> None:
        spans = [
            dict(label="Place", startOffset=13, endOffset=19),
            dict(label="Place", startOffset=36, endOffset=38),
        ]
        text = "Zoë moved to Kraków on 3 May 2021. 🎂"
        label, problems = read_label("spans", spans, ANY, text=text)
        assert label == (Span("Place", 13, 19),)
        assert [kind for kind, _ in problems] == ["span outside"]

    def test_places_counted_in_utf_16_are_converted_where_that_is_certain(self) -> None:
        text = "🎂🎂 Kraków 🎂"  # 11 characters, 14 units
        spans = [
            dict(label="Place", startOffset=5, endOffset=11),
            dict(label="Cake", startOffset=12, endOffset=14),
        ]
        label, problems = read_label("spans", spans, ANY, text=text)
        assert [text[s.start : s.end] for s in label] == ["Kraków", "🎂"]  # type: ignore[union-attr]
        assert [kind for kind, _ in problems] == ["offsets"]
        alone, problems = read_label("spans", spans[:1], ANY, text=text)
        assert alone == (Span("Place", 5, 11),) and problems == []  # both readings are possible

    def test_labels_of_no_class_are_left_out_of_a_list(self) -> None:
        names = ClassNames(["Cat", "Dog"])
        label, problems = read_label("multi", ["cat", "Horse"], names)
        assert label == ("Cat",)
        assert [kind for kind, _ in problems] == ["spelling", "unknown label"]

    def test_an_answer_of_unknown_labels_alone_is_no_empty_answer(self) -> None:
        names = ClassNames(["Cat"])
        box = dict(label="Horse", left=0, top=0, width=1, height=1)
        for shape, value in (("multi", ["Horse"]), ("boxes", [box])):
            with pytest.raises(LeftOut) as caught:
                read_label(shape, value, names)  # type: ignore[arg-type]
            assert caught.value.kind == "unknown label"


class TestMasks:
    def answer(self, **more: object) -> dict[str, object]:
        picture = Image.new("RGB", (4, 3), "#ffffff")
        picture.paste("#2ca02c", (1, 0, 3, 2))
        data = io.BytesIO()
        picture.save(data, "PNG")
        return {
            "crowd-semantic-segmentation": {
                "inputImageProperties": {"width": 4, "height": 3},
                "labelMappings": {"house": {"color": "#2ca02c"}, "tree": {"color": "#1f77b4"}},
                "labeledImage": {"pngImageData": base64.b64encode(data.getvalue()).decode()},
                **more,
            }
        }

    def test_pixels_are_told_by_the_colors_of_the_answer(self) -> None:
        mask = label_of(self.answer())
        assert isinstance(mask, Mask)
        assert mask.classes == ("BACKGROUND", "house", "tree")
        assert mask.pixels.tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]

    def test_a_mask_of_a_class_that_is_none_is_left_out(self) -> None:
        found = decode_content(self.answer())
        with pytest.raises(LeftOut, match=r"tree is not among the classes"):
            read_label(found.shape, found.value, ClassNames(["House"]))

    def test_that_nothing_of_an_answer_is_left_is_said_once(self) -> None:
        found = decode_content({"crowd-image-classifier-multi-select": {"labels": ["tree"]}})
        with pytest.raises(LeftOut) as caught:
            read_label(found.shape, found.value, ClassNames(["House"]))
        assert str(caught.value) == "tree is not among the classes"

    def test_a_picture_that_is_none_is_unreadable(self) -> None:
        with pytest.raises(LeftOut) as caught:
            label_of(self.answer(labeledImage={"pngImageData": "aGVsbG8="}))
        assert caught.value.kind == "unreadable"


class TestClassNames:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Cat", "Cat"),
            ("cat", "Cat"),
            ("R&amp;D", "R&D"),
            ("r&amp;d", "R&D"),
            ("None of the above", "None of the above"),
            ("none", "None"),
            ("Horse", None),
            ("straße", "STRASSE"),
        ],
    )
    def test_a_text_finds_its_class(self, text: str, expected: str | None) -> None:
        assert ClassNames(["Cat", "R&D", "STRASSE"]).find(text) == expected

    def test_a_class_with_blanks_around_it_is_found_without(self) -> None:
        assert ClassNames(["Cat "]).find("Cat") == "Cat "

    def test_without_classes_every_text_is_one(self) -> None:
        assert ClassNames().find("anything") == "anything"

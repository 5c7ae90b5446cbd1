"""What a page on this machine gets of a task: all that is asked, and nothing of what is hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gandt.labeling.queue_tasks import page_input, read_tasks


@pytest.mark.parametrize("ours", [True, False])
def test_a_hidden_tile_is_nowhere_in_what_the_page_gets(ours: bool, tmp_path: Path) -> None:
    tiles: list[dict[str, object]] = [
        {"source-ref": f"/pool/{number}.png", "index": number} for number in range(3)
    ]
    tiles[0] |= {"event_names": ["cat", "dog"], "other_category_label": "Other"}
    line = {"source": json.dumps(tiles), "tiles": tiles, "gandt-golds": [None, ["cat"], None]}
    path = tmp_path / "tiles.manifest"
    path.write_text(json.dumps(line) + "\n")
    (task,) = read_tasks(str(path))
    given = page_input(task, ["cat", "dog"], hidden=[0, 1], ours=ours)
    text = json.dumps(given)
    assert "/pool/2.png" in text and "event_names" in text
    assert "/pool/0.png" not in text and "/pool/1.png" not in text and "golds" not in text

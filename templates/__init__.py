"""Worker pages: one self-contained Liquid template for each kind of question.

Each `<name>.liquid.html` can be uploaded to SageMaker Ground Truth as it is; `gandt.labeling` reads
and renders them. They are put together from `parts/` by `scripts/build_pages.py`, for Ground Truth
takes a template of one file: change a part, run the script, and both are committed.
`crowd-stand-in.js` takes the place of the crowd elements wherever a page is shown without the
service.

`widget-<task>.liquid.html` are of another kind: pages of crowd elements for the task types that
Ground Truth consolidates itself. `gandt.labeling.widgets` fills in their `@@places@@`;
`crowd-widgets.js` takes the place of their widgets, and `crowd-widgets-style.js` is how those look.

What our own pages take from `task.input` (a line of the manifest, or what a pre-annotation Lambda
makes of it):

- `taskObject`, else `source-ref` or `source`: the image, or the text.
- of tiles: `taskObject`, else `tiles`: the list of images. Liquid cannot decode the JSON text in
  `source`, so without a Lambda the line needs the list under the key `tiles` as well.
- `labels`: a list of names. Where there is none, those that were baked in (`gandt template save`).
- `question`, `instructions`: text. `positive_examples`, `negative_examples`: a list of images, each
  a URI or `{"source-ref": …, "label": …}`. All of these are optional.

What they answer: hidden fields with JSON text, which `gandt.groundtruth.responses` reads.

- `category`: `{"label": …}` or `{"labels": […]}`
- `boundingBox`: `{"boundingBoxes": […], "inputImageProperties": {"width", "height"}}`, in pixels
- `entities`: `{"entities": [{"label", "startOffset", "endOffset"}]}`, in code points
- `labels-<index>` for each tile: a list of names
- `problem`: why there is no answer, in words (for tiles a list of `{"index", "problem"}`). The
  field of the answer then holds `{"label": ""}` (of a tile `[]`), which counts as no vote.
"""

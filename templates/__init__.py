"""Worker pages: one self-contained Liquid template for each kind of question.

Each `<name>.liquid.html` can be uploaded to SageMaker Ground Truth as it is; `gandt.labeling` reads
and renders them. They are put together from `parts/` by `scripts/build_pages.py`, for Ground Truth
takes a template of one file: change a part, run the script, and both are committed.
`crowd-stand-in.js` takes the place of the crowd elements wherever a page is shown without the
service.
"""

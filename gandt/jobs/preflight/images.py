"""What image files must be like for a job: readable, of a format, a size and a way up.

Looks at headers that were read before; decodes nothing. The limits are those of the developer
guide ("Input Data Quotas", "Image files: supported formats and sizes", "CORS Requirement for Input
Image Data"). Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gandt.jobs.plan import Check, ImageFacts, JobPlan
from gandt.jobs.preflight.words import command, error, fine, listed, warning
from gandt.words import count

__all__ = ["check_images"]

_MOST_BYTES = 40_000_000
_MOST_PIXELS = 100_000_000
_AUTOMATED = (3840, 2160)  # pixels
_AUTOMATED_SEGMENTATION = (1920, 1080)
_BUILT_IN = frozenset({"JPEG", "MPO", "PNG"})  # Pillow's names; MPO is a JPEG with more in it
_CROWD = _BUILT_IN | {"APNG", "BMP", "GIF", "ICO", "SVG"}
_NAMED = 3  # files in a command
_DRAWN = ("BoundingBox", "SemanticSegmentation")  # in codes of tasks whose answers are coordinates


def check_images(plan: JobPlan) -> list[Check]:
    """Check every image that the job's lines name; nothing for tasks without images."""
    if not plan.images:
        return []
    good = [facts for facts in plan.images if facts.problem is None]
    return [
        _check_readable(plan),
        _check_formats(plan, good),
        _check_bytes(plan, good),
        _check_pixels(plan, good),
        _check_orientation(plan, good),
    ]


def _names(images: Iterable[ImageFacts]) -> str:
    return listed([facts.uri for facts in images])


def _on(images: Sequence[ImageFacts], *words: str) -> str:
    """Write a command that changes image files: these, where they are few and local."""
    local = [facts.uri for facts in images if not facts.uri.startswith("s3://")]
    return command(*words, *(local if 0 < len(local) <= _NAMED else ("FILE",)))


def _check_readable(plan: JobPlan) -> Check:
    name = "image files"
    bad = [facts for facts in plan.images if facts.problem is not None]
    if not bad:
        return fine(name, f"{count(len(plan.images), 'image')} can be read")
    reasons = [f"{facts.uri} ({facts.problem})" for facts in bad]
    return error(
        name,
        f"{count(len(bad), 'image')} of {len(plan.images):,} cannot be read: {listed(reasons)}",
        "repair or replace these files, or take their lines out of the manifest",
    )


def _check_formats(plan: JobPlan, good: Sequence[ImageFacts]) -> Check:
    name = "image formats"
    allowed = _CROWD if plan.task.custom else _BUILT_IN
    wrong = [facts for facts in good if facts.format is not None and facts.format not in allowed]
    if not wrong:
        formats = sorted({facts.format for facts in good if facts.format})
        return fine(name, " and ".join(formats) or "none known")
    found = " and ".join(sorted({str(facts.format) for facts in wrong}))
    message = f"{count(len(wrong), 'image')} ({_names(wrong)}) in {found}"
    fix = (
        f"convert them, as with {_on(wrong, 'mogrify', '-format', 'jpg')} of ImageMagick, and name "
        "the new files in the manifest"
    )
    if plan.task.custom:
        return warning(
            name,
            f"{message}, which the image widgets of Ground Truth do not promise to show",
            f"{fix}; leave them if your page shows them in plain <img>",
        )
    return error(name, f"{message}, and built-in tasks take JPEG and PNG alone", fix)


def _check_bytes(plan: JobPlan, good: Sequence[ImageFacts]) -> Check:
    name = "image file sizes"
    large = [facts for facts in good if facts.size > _MOST_BYTES]
    if not large:
        most = max((facts.size for facts in good), default=0)
        return fine(name, f"at most {most / 1e6:.1f} MB of 40 MB")
    return error(
        name,
        f"{count(len(large), 'image')} of more than 40 MB: {_names(large)}",
        f"make them smaller, as with {_on(large, 'mogrify', '-resize', '50%')} of ImageMagick",
    )


def _check_pixels(plan: JobPlan, good: Sequence[ImageFacts]) -> Check:
    name = "image dimensions"
    if plan.settings.automated and plan.task.data == "image":
        wide, high = (
            _AUTOMATED_SEGMENTATION if "SemanticSegmentation" in plan.task.code else _AUTOMATED
        )
        large = [facts for facts in good if facts.width > wide or facts.height > high]
        if large:
            # The guide gives one way round only; what fits turned may be refused.
            fits = all(
                max(f.width, f.height) <= wide and min(f.width, f.height) <= high for f in large
            )
            say = warning if fits else error
            return say(
                name,
                f"{count(len(large), 'image')} of more than {wide} x {high} pixels "
                f"({_sizes(large)}), the most for automated labeling"
                + (", though turned by 90 degrees they fit" if fits else ""),
                f"make them smaller, as with {_on(large, 'mogrify', '-resize', f'{wide}x{high}>')} "
                "of ImageMagick, or leave --automated out",
            )
        return fine(name, f"at most {wide} x {high} pixels")
    large = [facts for facts in good if facts.width * facts.height > _MOST_PIXELS]
    if not large:
        most = max((facts.width * facts.height for facts in good), default=0)
        return fine(name, f"at most {most / 1e6:.1f} million pixels of 100 million")
    return error(
        name,
        f"{count(len(large), 'image')} of more than 100 million pixels: {_sizes(large)}",
        f"make them smaller, as with {_on(large, 'mogrify', '-resize', '9999x9999')} of "
        "ImageMagick, or cut them into pieces",
    )


def _sizes(images: Sequence[ImageFacts]) -> str:
    return listed([f"{facts.uri} with {facts.width} x {facts.height}" for facts in images])


def _check_orientation(plan: JobPlan, good: Sequence[ImageFacts]) -> Check:
    name = "image orientation"
    turned = [facts for facts in good if facts.orientation != 1]
    if not turned:
        return fine(name, "no image is turned by its EXIF data")
    found = f"{count(len(turned), 'image')} turned or mirrored by EXIF data ({_names(turned)})"
    drawn = any(word in plan.task.code for word in _DRAWN) or (
        plan.task.custom and plan.settings.template == "bounding-box"
    )
    if not drawn:
        return fine(name, f"{found}, which browsers show upright and answers do not depend on")
    return warning(
        name,
        f"{found}: browsers show them upright, so coordinates would not fit the pixels of the "
        "file unless CORS lets the widget see how it is turned",
        f"make the files upright ({_on(turned, 'exiftran', '-ai')} for JPEG without loss, or "
        f"{_on(turned, 'mogrify', '-auto-orient')}); else see that CORS of their bucket is fine",
    )

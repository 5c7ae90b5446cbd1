"""Everything that came back from the workers becomes one answers table.

Reads, mixed freely and locally or on S3: output folders of Ground Truth jobs (and those of the
local page, which have the same layout), single worker-response and consolidation-request files,
output manifests of custom jobs that hold the responses, plain tables, and round folders of earlier
aggregations. Writes nothing. Nothing is skipped silently: what does not count stands in
`Answers.oddities`, with the file, the worker and the reason.

The shapes are those of the SageMaker developer guide; where they differ, those of real files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from gandt import storage
from gandt.answers import KINDS, Answers, Kind, Oddity
from gandt.errors import AnswerError, StorageError, UsageError
from gandt.groundtruth.answer_reading import Reading
from gandt.groundtruth.answer_tables import read_gold
from gandt.groundtruth.asked_tasks import AskedTask, read_asked
from gandt.groundtruth.job_answers import of_job, read_job, read_loose
from gandt.groundtruth.job_folder import JobFolder, RoundFolder, job_root, sort_files
from gandt.groundtruth.label_values import LeftOut
from gandt.groundtruth.manifest import is_manifest
from gandt.groundtruth.manifest_answers import read_manifest_answers
from gandt.groundtruth.table_answers import enter_round, enter_table
from gandt.groundtruth.vote_box import VoteBox
from gandt.tables import TABLE_SUFFIXES

__all__ = ["read_answers", "read_gold"]

_PART_OF_JOB = re.compile(r"/iteration-\d+(/|$)")
_SHOWN = 3  # oddities in the message of a strict reading


def read_answers(
    uris: Sequence[str],
    *,
    manifest: str | None = None,
    attribute: str | None = None,
    field: str | None = None,
    kind: Kind | None = None,
    classes: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    job: str | None = None,
    strict: bool = False,
) -> Answers:
    """Read workers' answers into one table, the first answer of each worker to each task.

    Parameters
    ----------
    uris
        What to read, local or `s3://`: folders of jobs (or a folder with several of them, or the
        `annotations/` within one), JSON files and output manifests of jobs, tables of answers,
        round folders, or plain folders of such files.
    manifest
        The manifest that the job was made from. Needed where a job's folder has no output
        manifest, for the names of its tasks; the tasks in it that nobody answered are listed.
    attribute
        The job's label attribute name, where a manifest holds the labels of several jobs and no
        `job.json` beside it (`gandt fetch`) says which are its own.
    field
        The field of the workers' form that holds the label, where there are several.
    kind
        What the labels are; where None, it is seen from the answers. Tiled tasks are "multi";
        with "single", an answer with several labels is left out and counted.
    classes
        The classes in order; else those that the job's own files name. An answer of another class
        is left out and counted where classes are known.
    columns
        Names of the columns of tables, by what they hold, where they are not the usual ones.
    job
        The name of the job, for answers whose files do not tell.
    strict
        Whether anything odd is an error.

    Returns
    -------
    answers
        Rows in the order of the objects; `tasks` also lists those without an answer. Time spent
        on a tiled task is shared out to its images.

    Raises
    ------
    AnswerError
        Where no answer can be read, where the answers are of different kinds or come from several
        fields, or, with `strict`, where anything is odd.
    UsageError
        Where nothing is named, or `kind` or `columns` are unknown.
    StorageError
        Where a file or folder that was named is missing or cannot be listed.
    """
    named = [uris] if isinstance(uris, str) else list(uris)
    if not named:
        raise UsageError("No answers were named: name the folder of a finished job, or a table.")
    if kind is not None and kind not in KINDS:
        raise UsageError(f"{kind!r} is no kind of answers: say {', '.join(KINDS)} (--kind).")
    reading = Reading(
        attribute=attribute,
        field=field,
        classes=tuple(dict.fromkeys(classes or ())),
        columns=columns,
        job=job,
    )
    box = reading.box
    if manifest is not None:
        reading.manifest = _read_manifest(manifest, box)
    sources = _Sources(reading)
    for uri in named:
        sources.read(storage.normalize(uri))
    for task in (reading.manifest or {}).values():
        box.ask(task)
    for uri in sources.gold:
        _enter_gold(reading, uri)
    try:
        answers = box.close(kind=kind, classes=reading.known_classes(), attribute=attribute)
    except AnswerError as error:
        if strict and box.oddities:
            raise AnswerError(f"{error} {_strict(box.oddities)}") from error
        raise
    if strict and answers.oddities:
        raise AnswerError(_strict(answers.oddities))
    return answers


def _read_manifest(uri: str, box: VoteBox) -> dict[int, AskedTask]:
    text = storage.normalize(uri)
    storage.stat(text)
    asked = read_asked(text, box.note)
    if not asked:
        raise AnswerError(f"{text} holds no task: name the manifest that the job was made from.")
    return asked


def _enter_gold(reading: Reading, uri: str) -> None:
    try:
        for task, label in read_gold(uri).items():
            reading.box.gold[reading.task_named(task) or task] = (label, uri)
    except (AnswerError, StorageError, UsageError) as error:
        reading.box.note("bad gold", uri, str(error))


def _strict(oddities: Sequence[Oddity]) -> str:
    counts = Counter(oddity.kind for oddity in oddities)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    first = "; ".join(f"{o.where}: {o.reason.rstrip('.')}" for o in oddities[:_SHOWN])
    return f"The answers hold what does not count ({listed}): {first}. Read them without --strict."


class _Sources:
    """Tells what each named file or folder is, and has it read."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.box = reading, reading.box
        self.gold: list[str] = []
        self._seen: set[str] = set()

    def read(self, uri: str) -> None:
        if storage.find(uri) is not None:
            self._file(uri)
        elif storage.is_folder(uri):
            self._folder(uri)
        else:
            storage.stat(uri)  # says that it is missing

    def _folder(self, uri: str) -> None:
        def unlisted(place: str, reason: str) -> None:
            self.box.note("unreadable", place, f"It cannot be read: {reason}.")

        found = sort_files(file.uri for file in storage.list_folder(uri, unlisted))
        for job in found.jobs.values():
            job.below = len(uri.rstrip("/")) > len(job.root)
            self._job(job, part=_PART_OF_JOB.search(f"{uri}/", len(job.root)) is not None)
        for finished in found.rounds:
            self._round(finished)
        self.gold.extend(found.gold)
        readable = TABLE_SUFFIXES | {".json"}
        loose = [name for name in found.loose if _suffix(name) in readable]
        if not found.jobs and not found.rounds:
            for name in loose:
                self._file(name)
            if not loose:
                self.box.note("unreadable", uri, "The folder holds no file with answers.")

    def _job(self, job: JobFolder, *, part: bool) -> None:
        named_before = bool(job.responses or job.requests)
        job.responses = [file for file in job.responses if self._new(file.uri)]
        job.requests = [name for name in job.requests if self._new(name)]
        if named_before and not job.responses and not job.requests:
            return
        read_job(self.reading, job, part=part)

    def _round(self, finished: RoundFolder) -> None:
        if self._new(finished.answers):
            enter_round(self.reading, finished)

    def _file(self, uri: str) -> None:
        if not self._new(uri):
            return
        try:
            self._any_file(uri)
        except LeftOut as error:
            self.box.note(error.kind, uri, str(error))
        except StorageError as error:
            self.box.note("unreadable", uri, str(error))

    def _any_file(self, uri: str) -> None:
        suffix = _suffix(uri)
        root = job_root(uri)
        if suffix == ".json":
            job = sort_files([uri]).jobs.get(root or "")
            if job is not None and (job.responses or job.requests):
                read_job(self.reading, job, part=True)
            else:
                read_loose(self.reading, uri)
        elif suffix in TABLE_SUFFIXES or is_manifest(uri):
            if suffix not in (".csv", ".tsv", ".parquet", ".pq") and is_manifest(uri):
                folder = JobFolder(root) if root else None
                reading = of_job(self.reading, folder) if folder else self.reading
                read_manifest_answers(reading, uri, folder)
            elif uri.endswith("/answers.parquet"):
                enter_round(self.reading, RoundFolder(uri.rpartition("/")[0], uri))
            else:
                enter_table(self.reading, uri)
        else:
            raise LeftOut(
                "unreadable",
                "It is no file of answers: name JSON of a job, a manifest, CSV, TSV, JSON Lines "
                "or Parquet.",
            )

    def _new(self, uri: str) -> bool:
        """Whether this file was not read yet; a file named twice is no second answer."""
        if uri in self._seen:
            return False
        self._seen.add(uri)
        return True


def _suffix(uri: str) -> str:
    name = uri.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""

"""One task of a batch: what a worker process is handed, and what it does with it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from surfacecli.batch.records import Options, Record, make_key
from surfacecli.errors import SurfaceError
from surfacecli.study import Study, make_study


@dataclass(frozen=True)
class Task:
    """One slice of one preset, to be drawn into `folder` as NAME.FORMAT with NAME.json beside it.

    Small and plain, as it travels between processes. `study` is the preset's name made unique in
    the folder, `key` what the record must hold for the figure to be as it would be made now.
    """

    source: str
    slice: str
    study: str
    name: str
    folder: str
    options: Options
    key: str
    force: bool = False

    @property
    def figure(self) -> str:
        return f"{self.name}.{self.options.file_format}"


@dataclass(frozen=True)
class Failure:
    """Why a task made nothing."""

    message: str


def read_study(source: str, options: Options, slice_name: str | None = None) -> Study:
    """The study of a preset under the options of a batch."""
    return make_study(
        source,
        seed=options.seed,
        slice_name=slice_name,
        resolution=options.resolution,
        style=options.style,
        size=options.size,
    )


def key_of(study: Study, slice_name: str, options: Options) -> str:
    """The key of one figure of a study: what the options come to, not how they were given."""
    settled: dict[str, object] = {
        "style": study.style,
        "size": study.size,
        "format": options.file_format,
        "resolution": study.resolution,
        "seed": options.seed,
    }
    return make_key(study.preset.name, slice_name, study.preset.files, settled)


def make(task: Task) -> Record | Failure:
    """What a worker does: `render`, with every error as a message, which survives any pickling."""
    try:
        return render(task)
    except Exception as error:
        return Failure(explain(error))


def explain(error: Exception) -> str:
    """An error in words: a user's mistake by its message, a bug by its kind as well."""
    if isinstance(error, SurfaceError):
        return str(error)
    if isinstance(error, MemoryError):
        return "the memory does not suffice; choose a smaller --resolution or fewer --jobs"
    return f"a bug in surface: {type(error).__name__}: {error}; `surface plot` shows where"


def render(task: Task) -> Record:
    """Examine the slice of a task, write its figure, then its record.

    Raises `SurfaceError` where the preset cannot be used or a file cannot be written.
    """
    # matplotlib takes half a second to import: not for planning a batch that has nothing to do.
    from surfacecli.documents import verdict_document
    from surfacecli.figures import encode_figure
    from surfacecli.outputs import inside, write_file
    from surfacecli.pictures import draw, provenance_of
    from surfacecli.words import count_words

    start = perf_counter()
    study = read_study(task.source, task.options, task.slice)
    # Anew, not the task's: the preset may have changed since the batch was planned.
    key = key_of(study, task.slice, task.options)
    (slice,) = study.slices
    result = study.examine(slice)
    figure = draw(result)
    made_from = provenance_of(study, slice)
    title = f"{study.preset.title}: {slice.name}"
    content = encode_figure(figure, task.options.file_format, made_from, title)
    folder = Path(task.folder)
    write_file(inside(folder, task.figure), content, force=task.force)
    record = Record(
        name=task.name,
        figure=task.figure,
        figure_sha256=hashlib.sha256(content).hexdigest(),
        key=key,
        study=task.study,
        slice=task.slice,
        title=study.preset.title,
        seconds=round(perf_counter() - start, 3),
        maxima=count_words(result.verdict.maxima),
        points=count_words(result.verdict.points),
        verdict=verdict_document(result),
        made_from=made_from,
    )
    write_file(inside(folder, record.file), record.encode(), force=task.force)
    return record

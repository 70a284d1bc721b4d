"""What a folder of figures says of itself: manifest.json for programs, index.html for people.

Both describe every complete figure of the folder, those of earlier batches too: the gallery grows
with each run, and a figure leaves it when its file or its record is deleted.
"""

from collections.abc import Iterator

from surfacecli import __version__
from surfacecli.batch.records import Record, read_records
from surfacecli.batch.running import Report
from surfacecli.gallery import Card, Tone, build_gallery
from surfacecli.geometry.claim import Claim
from surfacecli.outputs import MARK, inside, json_text, write_file
from surfacecli.words import incomplete_words

MANIFEST = "manifest.json"
GALLERY = "index.html"


def describe_folder(report: Report, force: bool = False) -> None:
    """Write manifest and gallery after a batch, or after what there was time for.

    Raises `SurfaceError` where they cannot be written.
    """
    folder = report.plan.folder
    found = list(_complete(report))
    failures = [(trouble.where, trouble.message) for trouble in report.failures]
    manifest = json_text(
        {
            "generator": f"{MARK} {__version__}",
            "version": __version__,
            "complete": not (report.count("left") or failures),
            "figures": [_entry(record, status) for record, status in found],
            "failures": [{"where": where, "message": message} for where, message in failures],
        }
    )
    gallery = build_gallery([_card(*of) for of in found], failures)
    write_file(inside(folder, MANIFEST), manifest.encode("ascii"), force=force)
    write_file(inside(folder, GALLERY), gallery.encode("utf-8"), force=force)


def _complete(report: Report) -> Iterator[tuple[Record, str]]:
    """The records of the folder: this batch's in its order, then those of earlier ones."""
    records = read_records(report.plan.folder)
    for item in report.items:
        record = records.pop(item.task.name, None)
        if record is not None:
            yield record, item.status if item.record is not None else "earlier"
    for record in records.values():
        yield record, "earlier"


def _entry(record: Record, status: str) -> dict[str, object]:
    return {
        "figure": record.figure,
        "record": record.file,
        "study": record.study,
        "preset": record.made_from.get("preset"),
        "title": record.title,
        "slice": record.slice,
        "status": status,
        "kind": record.verdict["kind"],
        "claim": record.verdict["claim"],
        "minimum": record.verdict["minimum"],
        "maxima": record.maxima,
        "audit": record.verdict.get("audit"),
        "key": record.key,
        "sha256": record.figure_sha256,
        "seconds": record.seconds,
    }


def _card(record: Record, status: str) -> Card:
    lowest, tone = record.lowest, _tone(record.claim)
    return Card(
        study=record.study,
        title=record.title,
        slice=record.slice,
        kind=record.verdict["kind"].replace("-", " "),
        figure=record.figure,
        record=record.file,
        # Tone and words go together: where the theorem is silent, a finding is worth a word.
        verdict=f"theorem {record.theorem}" + ", its claim fails here" * (tone == "contrast"),
        tone=tone,
        reason=record.claim.reason,
        alarm=f"audit: {incomplete_words(record.fault)}" if record.fault else "",
        facts=(
            ("local maxima", record.maxima or "none found"),
            ("stationary points", record.points or "none found"),
            ("lowest point", f"E = {lowest.value:.6g} at ({lowest.u:.4g}, {lowest.v:.4g})"),
            ("method", _method(record)),
        ),
        earlier=status == "earlier",
    )


def _method(record: Record) -> str:
    """How the points were found; exact ones are all there are where the audit says so."""
    audit = record.verdict.get("audit")
    if record.verdict.get("method") != "exact":
        if not isinstance(audit, dict) or audit.get("sum") is None:
            return "sampled, may miss points"
        fault = f": {record.fault}" if record.fault else ""
        return f"sampled, may miss points; indices sum to {audit['sum']} of 1{fault}"
    if isinstance(audit, dict) and audit.get("complete") is True:
        return f"exact, {record.verdict.get('cells')} cells, audit passed: no point is missing"
    return "exact, but the audit failed: points may be missing or wrong"


def _tone(claim: Claim) -> Tone:
    if claim.applies:
        return "good" if claim.holds else "bad"
    return "neutral" if claim.holds else "contrast"

"""What a report says of fingerprints: how often they were checked, how often they lied, and whether they were stopped."""

from __future__ import annotations

from designgym.hashing.evidence import Evidence
from designgym.studies.figures.meta import RunMeta, StudyMeta
from designgym.studies.figures.units import DASH
from designgym.studies.report_template import escape, table

MAX_RUNS = 200


def audits(meta: StudyMeta) -> str:
    """Return the evidence in total and per run; empty if no run was to make fingerprints."""
    told = _told(meta)
    if not told:
        return ""
    total = Evidence.total(run.fingerprints for run in told)
    stopped = [run for run in told if run.fingerprints.stopped_because]
    lines = [f"In total: {total.words()}."]
    if doubting := [run for run in told if run.fingerprints.in_doubt and not run.fingerprints.stopped_because]:
        lines.append(
            f"In {len(doubting):,} of {len(told):,} runs fingerprints are in doubt: a false merge was found, and every functional hit is "
            "measured until the bound of their rate is below the limit."
        )
    if stopped:
        lines.append(
            f"Fingerprints were stopped in {len(stopped):,} of {len(told):,} runs; from then on no result was served on their word."
        )
    head = [
        ("run", "", False), ("probes", "", True), ("functional hits", "", True), ("audits", "", True), ("false merges", "", True),
        ("rate at most", "(95 % confidence)", True), ("why they were stopped, or in doubt", "", False),
    ]  # fmt: skip
    rows = [[run.run, *_cells(run.fingerprints)] for run in told]
    note = f'<p class="note">The first {MAX_RUNS} of {len(rows):,} runs.</p>' if len(rows) > MAX_RUNS else ""
    return "".join(f"<p>{escape(line)}</p>" for line in lines) + table(head, rows[:MAX_RUNS], label="Audits of fingerprints") + note


def warning(meta: StudyMeta) -> str:
    """Return a sentence for the head of the report if fingerprints were found to lie; empty if not."""
    liars = [run for run in _told(meta) if not run.fingerprints.trusted]
    if not liars:
        return ""
    total = Evidence.total(run.fingerprints for run in liars)
    if total.served:
        harm = f"{total.served:,} results had been served on their word by then, and may be wrong"
        remedy = "mend the probe, raise the version of its simulator, and run the study afresh"
    else:
        harm, remedy = "No result had been served on their word by then", "the results stand, and a mended probe would save time"
    return (
        f'<p class="warning"><strong>The fingerprints of this study are not to be trusted.</strong> In {len(liars):,} of '
        f"{len(meta.runs):,} runs audits found {total.false_merges:,} false merges among {total.audits:,} audited functional hits, and "
        f"fingerprints were stopped. {harm}: {remedy}.</p>"
    )


def _told(meta: StudyMeta) -> list[RunMeta]:
    """Return the runs of which there is something to tell."""
    return [run for run in meta.runs if run.fingerprints.wanted and (run.fingerprints.probes or run.fingerprints.stopped_because)]


def _cells(evidence: Evidence) -> list[str]:
    counts = (evidence.probes, evidence.hits, evidence.audits, evidence.false_merges)
    return [
        *(f"{count:,}" for count in counts), f"{100 * evidence.upper_95:.3g} %" if evidence.audits else DASH,
        evidence.remark or DASH,
    ]  # fmt: skip

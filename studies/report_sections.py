"""The parts of a report in words and tables; every text from outside is escaped where it enters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from designgym.core.metrics import better
from designgym.studies.figures.data import Quantity, StudyData, is_numeric
from designgym.studies.figures.design_texts import group_space, legend
from designgym.studies.figures.duplicates import Split, splits_of
from designgym.studies.figures.meta import StudyMeta
from designgym.studies.figures.units import DASH, Scale, column, duration, number, unit_of_expression
from designgym.studies.report_audits import warning
from designgym.studies.report_template import escape, facts, side_by_side, table

BEST_SHOWN = 8  # so many columns fit beside each other
PRINTED = 5  # of them on paper; the style sheet hides the others
MAX_RUNS = 200
MAX_REASONS = 8
MAX_HEADLINES = 6
PADDED = 3  # metrics shown where the objective names only one
MAX_SETTINGS = 40  # of the best design, in the header
WIDE = 60  # letters in a line of what a design amounts to, beyond which there is no room for two beside each other

GLOSSARY = (
    ("Design", "one point of the design space: a value for each parameter"),
    ("Evaluation", "a proposal whose behaviour was new to its search run, whoever measured it first; this is what a budget counts"),
    ("Duplicate", "a proposal whose behaviour its run had met before; it costs no budget"),
    ("Exact hit", "a proposal answered from a result with the same canonical key: declared equivalent, so its metrics are equal"),
    ("Functional hit", "a proposal answered from a result that behaved the same on a small probe: very probably equivalent, and audited"),
    ("Audited", "a functional hit that was measured all the same, to check the fingerprint"),
    ("False merge", "an audited functional hit whose own metrics were others: the fingerprint took two different behaviours for one"),
    (
        "Infeasible",
        "a proposal that the space forbids (it is not run), or whose result breaks a constraint, wherever that result came from",
    ),
    ("Pareto front", "the designs that no other design beats in both quantities"),
    ("Interquartile mean", "the mean of the middle half of the runs, so that one lucky or unlucky seed counts little"),
    (
        "R², out of fold",
        "the share of variance that the model explains on designs that it was not fitted to; 1 is perfect, 0 no better than the mean",
    ),
    ("SHAP value", "how far one parameter's value moves the model's prediction for one design"),
    (
        "Hypervolume",
        "the volume that the designs found dominate, as seen from the reference point, each quantity divided by its reference value; "
        "at most 1 where all are minimised and not negative",
    ),
    ("Dominated share", "the hypervolume of one design alone; negative outside the reference point, by the distance to it"),
)


def header(parts: Sequence[StudyData], meta: StudyMeta) -> str:
    """Return the title, the headline in words and the tiles; one headline per workload."""
    lines = [
        f'<p class="eyebrow">designgym report · {escape(meta.env)} · workload {escape(meta.workload)}</p>',
        f"<h1>{escape(meta.name)}</h1>",
    ]
    for data in parts[:MAX_HEADLINES]:
        lines.append(f'<p class="lead">{_headline(data)}</p>')
        if len(data.best):
            first = data.best.iloc[0].to_dict()
            if description := data.description(first):
                lines.append(f'<pre class="meaning" aria-label="The best design">{escape(description)}</pre>')
                continue
            texts = list(data.texts(first).items())
            items = "".join(f"<li><span>{escape(name)}</span> {escape(text)}</li>" for name, text in texts[:MAX_SETTINGS])
            more = len(data.parameters) - MAX_SETTINGS
            items += f"<li>… and {more} more</li>" if more > 0 else ""
            lines.append(f'<ul class="design" aria-label="The best design">{items}</ul>')
    lines += [f'<p class="warning">Attention: {escape(text)}.</p>' for text in meta.contradictions]
    lines += [warning(meta), _tiles(parts)]
    return "\n".join(lines)


def _headline(data: StudyData) -> str:
    meta, frame = data.meta, data.frame
    what = f"{_plural(len(data.labels), 'searcher')} in {_plural(frame['run'].nunique(), 'run')}"
    objective, where = f"to {escape(_objective_words(data))}", f"{escape(meta.env)} on workload {escape(meta.workload)}"
    if not len(frame):
        return f"This study has no trials yet. It searches {where} {objective}."
    if not len(data.best):
        failed = int(data.failed.sum())
        return (
            f"{what} made {_plural(len(frame), 'proposal')} for {where} {objective}, and none is feasible ({failed:,} failed). "
            "The reasons are listed below."
        )
    row = data.best.iloc[0]
    position = int(row["position"])
    best = data.target.scale.text(float(row["target"]), 4)
    behind = ", ".join(
        f"{escape(q.label)} {escape(q.scale.text(float(q.values[position])))}"
        for q in key_quantities(data)[:4]
        if q.name != data.target.name
    )
    return (
        f"{what} searched {where} {objective}. The best design reaches <strong>{escape(data.target.label)} {escape(best)}</strong>"
        f"{f' ({behind})' if behind else ''}, found by {escape(data.label[position])} (seed {escape(row['run_seed'])}) after "
        f"{_plural(int(data.evaluation[position]), 'evaluation')}."
    )


def _objective_words(data: StudyData) -> str:
    """Return the objective in words and readable units; as it describes itself where that takes more than terms and bounds."""
    meta = data.meta
    if meta.kind not in ("SingleObjective", "ParetoObjective"):
        return meta.objective
    terms = []
    for term, quantity in zip(meta.terms, data.terms, strict=True):
        named = f"{quantity.label} ({data.pretty(term.expression)})" if term.label != term.expression else quantity.label
        terms.append(f"{'minimise' if term.goal == 'min' else 'maximise'} {named}")
    words = " and ".join(terms)
    if meta.reference:
        limits = (f"{q.label} {_in_units(meta.reference[t.label], t.unit)}" for t, q in zip(meta.terms, data.terms, strict=True))
        words += f" at once (reference point: {', '.join(limits)})"
    bounds = []
    for bound in meta.bounds:
        expression = bound.expression.text
        unit = unit_of_expression(expression, {name: data.unit(f"metrics.{name}") for name in data.metrics})
        bounds.append(f"{data.pretty(expression)} at {'most' if bound.at_most else 'least'} {_in_units(bound.limit, unit)}")
    return words + (f" with {' and '.join(bounds)}" if bounds else "")


def _in_units(value: float, unit: str) -> str:
    return Scale.of([value], unit).text(value)


def _tiles(parts: Sequence[StudyData]) -> str:
    splits: list[Split] = [split for data in parts for split in splits_of(data).values()]
    proposals, duplicates = sum(split.proposals for split in splits), sum(split.duplicates for split in splits)
    hits, saved = sum(split.hits for split in splits), sum(split.saved_s for split in splits)
    measured = sum(split.counts["measured"] + split.counts["audited"] for split in splits)
    tiles = [
        ("Evaluations", f"{proposals - duplicates:,}", f"{measured:,} simulated, {proposals:,} proposed"),
        ("Duplicates skipped", f"{duplicates:,}", f"{100 * duplicates / proposals:.1f} % of the proposals" if proposals else ""),
        ("Time saved", duration(max(saved, 0.0)), f"{hits:,} results served, not simulated"),
    ]
    if gpus := parts[0].meta.gpus:
        occupied_s, kept_free_s = (
            gpus * sum(figures) for figures in zip(*((data.wall_s, data.saved.sum()) for data in parts), strict=True)
        )
        tiles.append(("GPU time saved", duration(kept_free_s), f"GPUs were occupied for {duration(occupied_s)}"))
    if len(parts) == 1:
        data = parts[0]
        best = data.target.scale.text(float(data.best.iloc[0]["target"])) if len(data.best) else DASH
        tiles.insert(0, (f"Best {data.target.label}", best, better(data.target.goal)))
    cells = "".join(
        f'<div><dt>{escape(a)}</dt><dd><span class="value">{escape(b)}</span><span class="note">{escape(c)}</span></dd></div>'
        for a, b, c in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def key_quantities(data: StudyData) -> list[Quantity]:
    """Return what a table of designs should show: the target, the terms, and the metrics that they are made of."""
    quantities = [data.target, *data.terms, *(data.metric(name) for names in data.term_metrics for name in names)]
    if len({q.name for q in quantities}) < 3:
        quantities += [data.metric(name) for name in data.metrics if data.meta.goals.get(name)][:PADDED]
    unique: dict[str, Quantity] = {}
    for quantity in quantities:
        unique.setdefault(quantity.name, quantity)
    return list(unique.values())[:6]


def best_designs(data: StudyData) -> str:
    """Return the best designs of distinct behaviour side by side: what differs between them, and in a line what does not."""
    top = data.best.head(BEST_SHOWN)
    if not len(top):
        return '<p class="note">No feasible result yet.</p>'
    positions = top["position"].to_numpy(dtype=int)
    texts = [data.texts(row) for row in top.to_dict("records")]
    same = [
        name
        for name in data.parameters
        if len(top) > 1
        and len({text[name] for text in texts}) == 1
        and (not is_numeric(top[f"design.{name}"]) or texts[0][name] == DASH or top[f"design.{name}"].nunique() == 1)
    ]
    rows = [
        (q.label, f"({q.scale.unit})" if q.scale.unit else "", column(q.values[positions] * q.scale.factor)) for q in key_quantities(data)
    ]
    literal = [
        (name, f"({unit})" if (unit := data.unit(f"design.{name}")) != "1" else "", [text[name] for text in texts])
        for name in data.parameters
        if name not in same
    ]
    meanings = [data.description(row) for row in top.to_dict("records")]
    rows += [] if all(meanings) else literal
    rows += [("searcher", "", [str(data.label[i]) for i in positions]), ("alike", "(proposals)", [f"{n:,}" for n in top["alike"]])]
    heads = [str(i + 1) for i in range(len(top))]
    text = side_by_side(heads, rows, label="The best designs")
    notes = [
        f"One column per distinct behaviour, best by {data.target.label} ({better(data.target.goal)}) first; "
        "“alike” counts the proposals that behaved the same."
    ]
    if same:
        notes.append(f"The same in all {len(top)}: {', '.join(f'{name} = {texts[0][name]}' for name in same[:30])}.")
    if any(DASH in text.values() for text in texts):
        notes.append(f"{DASH}: without effect in this design.")
    groups = [(name, group) for name in data.parameters if (group := group_space(data.meta.space, name)) is not None]
    notes += [f"{words[0].upper()}{words[1:]}." for name, group in groups if (words := legend(name, group))]
    folded = ""
    if all(meanings):
        text += _meanings(heads, meanings)
        words = "".join(f'<p class="note">{escape(note)}</p>' for note in notes[1:])
        proposed = side_by_side(heads, literal, label="The best designs as they were proposed")
        folded = f"<details><summary>The designs as they were proposed</summary>{proposed}{words}</details>"
        notes = [notes[0], "Shown is what has an effect, as the simulator writes it."]
    paper = f'<p class="note printed">On paper: the first {PRINTED} of these {len(top)} designs.</p>' if len(top) > PRINTED else ""
    return text + paper + "".join(f'<p class="note">{escape(note)}</p>' for note in notes) + folded


def _meanings(heads: Sequence[str], meanings: Sequence[str]) -> str:
    """Return what the designs amount to: beside each other where lines are short, else below each other."""
    long = max(len(line) for text in meanings for line in text.splitlines()) > WIDE
    cells = "".join(
        f"<figure><figcaption>{escape(head)}</figcaption><pre>{escape(text)}</pre></figure>"
        for head, text in zip(heads, meanings, strict=True)
    )
    return f'<div class="meanings{" long" if long else ""}">{cells}</div>'


def runs(data: StudyData) -> str:
    """Return the table of search runs."""
    frame, target = data.frame, data.target
    ended = {run.run: run for run in data.meta.runs}
    names = list(dict.fromkeys([*ended, *frame["run"]]))
    order = {run: (data.labels.index(label), seed) for run, label, seed in zip(frame["run"], data.label, frame["run_seed"], strict=True)}
    names.sort(key=lambda name: order.get(name, (len(data.labels), 0)))
    groups = {run: rows.to_numpy() for run, rows in pd.Series(np.arange(len(frame))).groupby(frame["run"].to_numpy(), sort=False)}
    best, rest = [], []
    for name in names:
        rows = groups.get(name, np.array([], dtype=int))
        signed = np.where(data.feasible[rows], target.signed[rows], np.nan)
        found = bool(np.isfinite(signed).any())
        best.append(float(target.values[rows[int(np.nanargmax(signed))]]) * target.scale.factor if found else float("nan"))
        run = ended.get(name)
        reason = "; ".join(part for part in ((run.stop_reason, run.error) if run else ()) if part)
        wall = run.wall_s if run and run.wall_s else float(np.nansum(frame["wall_s"].to_numpy(dtype=float)[rows]))
        rest.append([
            f"{int((~data.duplicate[rows]).sum()):,}", f"{len(rows):,}", f"{int(data.duplicate[rows].sum()):,}",
            f"{int(data.infeasible[rows].sum()):,}", f"{int(data.failed[rows].sum()):,}", duration(wall),
            reason or DASH,
        ])  # fmt: skip
    head = [
        ("run", "", False), (f"best {target.label}", f"({target.scale.unit})" if target.scale.unit else "", True),
        ("evaluations", "", True), ("proposals", "", True), ("duplicates", "", True), ("infeasible", "", True), ("failed", "", True),
        ("time", "", True), ("why it stopped", "", False),
    ]  # fmt: skip
    cells = [[name, value, *more] for name, value, more in zip(names, column(np.array(best)), rest, strict=True)]
    note = '<p class="note">Duplicates, infeasible and failed ones are counted among the proposals.</p>' if len(frame) else ""
    note += f'<p class="note">The first {MAX_RUNS} of {len(cells):,} runs.</p>' if len(cells) > MAX_RUNS else ""
    return (table(head, cells[:MAX_RUNS], label="The search runs") if cells else '<p class="note">No run has started.</p>') + note


def problems(data: StudyData) -> str:
    """Return what went wrong, by frequency; empty if nothing did."""
    frame = data.frame
    failed = Counter(str(error) for error in frame.loc[data.failed, "error"])
    reasons = Counter(str(text) for text in frame.loc[frame["status"] == "infeasible", "reasons"])
    valueless = Counter(str(text) for text in frame.loc[data.valueless, "reasons"])
    broken = frame[data.broken]
    parts = []
    for title, counter in (
        ("Failures and timeouts", failed),
        ("Why the space forbids designs", reasons),
        ("Why the objective has no value", valueless),
    ):
        if counter:
            rows = [[f"{count:,}", text or "(no message)"] for text, count in counter.most_common(MAX_REASONS)]
            parts.append(f"<h3>{title}</h3>" + table([("proposals", "", True), ("message", "", False)], rows, label=title))
            if len(counter) > MAX_REASONS:
                parts.append(f'<p class="note">{len(counter) - MAX_REASONS:,} rarer messages are left out.</p>')
    if len(broken):
        parts.append(
            f"<p>{len(broken):,} of {_plural(len(frame), 'proposal')} have a result that breaks a constraint "
            f"({escape(', '.join(map(str, data.meta.bounds)))}): {_plural(broken['key_canonical'].nunique(), 'distinct design')}, since "
            "a proposal may repeat one that was measured before.</p>"
        )
    return "".join(parts)


def provenance(parts: Sequence[StudyData], meta: StudyMeta) -> str:
    """Return versions, seeds, digests and the commands that repeat the study."""
    frame = pd.concat([data.frame for data in parts]) if len(parts) > 1 else parts[0].frame
    started = pd.to_numeric(frame["started_at_s"], errors="coerce").dropna()
    when = f"{_utc(started.min())} to {_utc(started.max())} UTC" if len(started) else ""
    named = frame.reindex(columns=["simulator", "simulator_version"]).fillna("").drop_duplicates()
    simulators = sorted({f"{name} {version}" for name, version in named.to_numpy() if name})
    pairs = [
        ("Environment", f"{meta.env}{': ' + meta.description if meta.description else ''}"),
        ("Simulator", ", ".join(f"{text}" for text in simulators)),
        ("Space version", ", ".join(_different(frame, "space_version"))),
        ("Workload", f"{meta.workload}{f', digest {meta.workload_digest}' if meta.workload_digest else ''}"),
        ("Objective", _objective_words(parts[0])),
        ("Fidelity", ", ".join(_different(frame, "fidelity"))),
        ("Budget", f"{meta.budget:,} evaluations per run" if meta.budget else ""),
        ("Searcher seeds", ", ".join(sorted(map(str, frame["run_seed"].unique()), key=lambda text: (len(text), text))[:60])),
        ("Measured", when),
        ("Versions", ", ".join(f"{name} {version}" for name, version in meta.versions.items())),
    ]
    commands = "".join(f"<p>To repeat it:</p><pre><code>{escape(chr(10).join(meta.commands))}</code></pre>" if meta.commands else "")
    return (
        facts(pairs)
        + commands
        + "<p class=note>The same seeds give the same designs and results on any machine if the simulator is deterministic.</p>"
    )


def glossary(data: StudyData) -> str:
    """Return the terms used, and the definition of each metric with its unit."""
    metrics = [(name, data.metric(name)) for name in data.metrics]
    rows = [
        [name, q.unit if q.unit != "1" else "1 (count or ratio)", better(q.goal) or DASH, data.meta.docs.get(name, "") or DASH]
        for name, q in metrics
    ]
    parts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in GLOSSARY)
    head = [("metric", "", False), ("unit", "", False), ("direction", "", False), ("definition", "", False)]
    return f'<dl class="glossary">{parts}</dl>' + (table(head, rows, label="Metrics", caption="Metrics") if rows else "")


def _different(frame: pd.DataFrame, name: str) -> list[str]:
    values = frame[name].unique() if name in frame else ()
    return sorted({number(value) if isinstance(value, float) else str(value) for value in values} - {""})


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"

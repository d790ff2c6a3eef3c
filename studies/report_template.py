"""The page around a report's content: one style sheet for screen and paper, light and dark, and the script that draws the figures."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence

from designgym.studies.report_style import STYLE

SCRIPT = """
(function () {
  var plots = [];
  document.querySelectorAll('script[type="application/json"][data-figure]').forEach(function (source) {
    var target = document.getElementById(source.getAttribute('data-figure'));
    var figure = JSON.parse(source.textContent);
    var config = {responsive: true, displaylogo: false, displayModeBar: 'hover',
                  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'],
                  toImageButtonOptions: {format: 'svg', filename: target.id}};
    plots.push(target);
    Plotly.newPlot(target, figure.data, figure.layout, config);
  });
  var dark = window.matchMedia('(prefers-color-scheme: dark)');
  function colour(night) {
    plots.forEach(function (plot) {
      var scales = plot.layout.meta && plot.layout.meta.scales;
      if (scales) { Plotly.restyle(plot, {'line.colorscale': [night ? scales.dark : scales.light]}); }
    });
  }
  function fit() {  // at once: Plotly.Plots.resize waits, and the page is on paper by then
    plots.forEach(function (plot) {
      var width = parseFloat(getComputedStyle(plot).getPropertyValue('--print-width'));
      Plotly.relayout(plot, {autosize: false, width: width});
    });
  }
  function resize() {
    plots.forEach(function (plot) { Plotly.relayout(plot, {autosize: true, width: null}); Plotly.Plots.resize(plot); });
  }
  if (dark.matches) { colour(true); }
  dark.addEventListener('change', function () { colour(dark.matches); });
  window.addEventListener('beforeprint', function () { if (dark.matches) { colour(false); } fit(); });
  window.addEventListener('afterprint', function () { if (dark.matches) { colour(true); } resize(); });
})();
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="designgym {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
{header}
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main>
{sections}
</main>
<footer>{footer}</footer>
{scripts}
</body>
</html>
"""


def escape(text: object) -> str:
    """Return text for HTML content and attributes."""
    return html.escape(str(text), quote=True)


def json_for_script(text: str) -> str:
    """Return JSON that cannot end the script element it stands in, nor open a comment."""
    return (
        text.replace("&", "\\u0026")
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def page(*, title: str, version: str, header: str, sections: Sequence[tuple[str, str, str]], footer: str, plotly_js: str) -> str:
    """Return the whole page.

    Args:
        title: Document title, plain text.
        version: Version of designgym.
        header: HTML above the table of contents.
        sections: Identifier, heading (plain text) and HTML of each section.
        footer: HTML at the end.
        plotly_js: Plotly's own script, or nothing if no figure is drawn.
    """
    # Only these two scripts may run, whatever else ends up in the page; WebGL shaders of Plotly are compiled with Function().
    scripts = [script for script in (plotly_js, SCRIPT) if plotly_js]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts) or "'none'"
    allow_eval = " 'unsafe-eval'" if scripts else ""
    policy = (
        f"default-src 'none'; script-src {hashes}{allow_eval}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "worker-src blob:; base-uri 'none'; form-action 'none'"
    )
    return PAGE.format(
        policy=policy,
        version=escape(version),
        title=escape(title),
        style=STYLE,
        header=header,
        links="".join(f'<li><a href="#{escape(name)}">{escape(heading)}</a></li>' for name, heading, _ in sections),
        sections="\n".join(
            f'<section id="{escape(name)}" aria-labelledby="{escape(name)}-h"><h2 id="{escape(name)}-h">{escape(heading)}</h2>'
            f"{body}</section>"
            for name, heading, body in sections
        ),
        footer=footer,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def breakable(name: str) -> str:
    """Return an identifier, or a value in words, as HTML that may be broken at capitals, underscores and commas."""
    return "<wbr>".join(escape(part) for part in re.split(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[_,])(?=\w)", name))


def table(
    head: Sequence[tuple[str, str, bool]], rows: Sequence[Sequence[str]], *, label: str, caption: str = "", first: bool = False
) -> str:
    """Return an HTML table.

    Args:
        head: Per column its heading, its unit, and whether it holds numbers (right-aligned); plain text.
        rows: Cells as plain text.
        label: What the table shows, for screen readers.
        caption: Shown above it, plain text.
        first: Whether the first row stands out.
    """
    heads = "".join(
        f'<th scope="col"{" class=num" if numeric else ""}>{breakable(name)}'
        f"{f'<span class=unit>{escape(unit)}</span>' if unit else ''}</th>"
        for name, unit, numeric in head
    )
    body = []
    for i, row in enumerate(rows):
        cells = [
            f'<td class="{"num" if numeric else "text" if len(cell) > 24 else "short"}">{escape(cell)}</td>'
            for (_, _, numeric), cell in zip(head, row, strict=True)
        ]
        body.append(f"<tr{' class=first' if first and i == 0 else ''}>{''.join(cells)}</tr>")
    shown = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table>{shown}<thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def side_by_side(heads: Sequence[str], rows: Sequence[tuple[str, str, Sequence[str]]], *, label: str) -> str:
    """Return an HTML table that compares things in columns, the first of which stands out. Cells wrap, so that it always fits.

    Args:
        heads: A heading per thing.
        rows: What is compared: its name, its unit, and a cell per thing; plain text.
        label: What the table shows, for screen readers.
    """
    body = []
    for name, unit, cells in rows:
        shown = f"<span class=unit>{escape(unit)}</span>" if unit else ""
        texts = "".join(f"<td>{breakable(cell)}</td>" for cell in cells)
        body.append(f'<tr><th scope="row">{breakable(name)} {shown}</th>{texts}</tr>')
    columns = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="designs"><thead><tr><td></td>{columns}'
        f"</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Return a list of named facts (plain text); those that are empty are left out."""
    return '<dl class="facts">' + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs if value) + "</dl>"

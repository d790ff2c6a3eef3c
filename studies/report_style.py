"""The style sheet of reports: screen and paper, light and dark, wide and narrow."""

STYLE = """
:root { color-scheme: light dark; --ink:#1f2933; --soft:#55606e; --faint:#6b7684; --ground:#ffffff; --card:#f6f7f9; --line:#dde1e6;
  --grid:rgba(128,134,145,.24); --accent:#0072b2; --star:#b84e00; }
@media (prefers-color-scheme: dark) { :root { --ink:#e4e7eb; --soft:#aab3bf; --faint:#929ca9; --ground:#14181d; --card:#1c2229;
  --line:#323a44;
  --grid:rgba(150,158,170,.22); --accent:#56b4e9; --star:#f0a35e; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin:0; background:var(--ground); color:var(--ink);
  font:16px/1.55 Inter,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif; }
main, header, footer { max-width:1160px; margin:0 auto; padding:0 28px; }
header { padding-top:44px; }
.eyebrow { margin:0; color:var(--faint); font-size:13px; letter-spacing:.04em; }
h1 { margin:4px 0 10px; font-size:32px; line-height:1.2; letter-spacing:-.01em; overflow-wrap:anywhere; }
h2 { margin:52px 0 6px; font-size:21px; line-height:1.3; letter-spacing:-.005em; }
h3 { margin:24px 0 6px; font-size:16px; }
p { margin:8px 0; max-width:78ch; }
.lead { font-size:18px; line-height:1.55; overflow-wrap:anywhere; }
.lead strong, .best { color:var(--star); font-weight:650; }
.warning { border-left:4px solid var(--star); padding:2px 0 2px 14px; margin:16px 0; max-width:92ch; }
a { color:var(--accent); }
code, pre { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace; font-size:.9em; }
code { overflow-wrap:anywhere; }
pre { background:var(--card); border:1px solid var(--line); border-radius:6px; padding:12px 14px; overflow-x:auto; }
nav ul { display:flex; flex-wrap:wrap; gap:4px 20px; padding:12px 0 0; margin:18px 0 0; list-style:none;
  border-top:1px solid var(--line); font-size:14px; }
nav a { text-decoration:none; } nav a:hover, nav a:focus { text-decoration:underline; }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(180px,1fr)); gap:12px; margin:24px 0 6px; padding:0; }
.tiles div { background:var(--card); border:1px solid var(--line); border-radius:8px; padding:14px 16px; }
.tiles dt { color:var(--soft); font-size:13px; } .tiles dd { margin:2px 0 0; }
.tiles .value { font-size:25px; font-weight:620; letter-spacing:-.01em; font-variant-numeric:tabular-nums; display:block;
  line-height:1.25; }
.tiles .note { color:var(--soft); font-size:13px; display:block; line-height:1.4; }
.design { display:flex; flex-wrap:wrap; gap:6px 8px; margin:12px 0 0; padding:0; list-style:none; font-size:14px; }
.design li { border:1px solid var(--line); border-radius:5px; padding:2px 9px; max-width:100%; overflow-wrap:anywhere; }
.design span { color:var(--soft); }
pre.meaning { display:inline-block; max-width:100%; margin:12px 0 0; }
.meanings { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr)); gap:12px; margin:14px 0; }
.meanings.long { grid-template-columns:1fr; } .meanings figure { margin:0; min-width:0; display:flex; gap:10px; align-items:baseline; }
.meanings figcaption { margin:0; min-width:1.2em; }
.meanings pre { margin:0; flex:1; min-width:0; white-space:pre-wrap; overflow-wrap:anywhere; }
.meanings figure:first-child figcaption { font-weight:600; color:var(--star); }
details { margin:10px 0; } summary { cursor:pointer; color:var(--accent); font-size:14px; }
.scroll { overflow-x:auto; margin:12px 0 4px; }
.scroll:focus-visible { outline:2px solid var(--accent); }
table { border-collapse:collapse; width:100%; font-size:14px; font-variant-numeric:tabular-nums; }
caption { text-align:left; color:var(--soft); padding-bottom:6px; }
th, td { padding:6px 8px; text-align:left; vertical-align:top; border-bottom:1px solid var(--line); }
th:first-child, td:first-child { padding-left:4px; }
thead th { font-weight:600; vertical-align:bottom; border-bottom:1.5px solid var(--faint); line-height:1.3; }
thead th .unit { display:block; font-weight:400; color:var(--soft); white-space:nowrap; }
.short { white-space:nowrap; } .num { text-align:right; width:1%; } td.num { white-space:nowrap; } tbody th { font-weight:400; }
tbody tr.first td, tbody tr.first th { font-weight:600; }
td.text { overflow-wrap:anywhere; min-width:26ch; }
table.designs { min-width:760px; } .designs th[scope=row] { font-weight:400; color:var(--soft); min-width:11ch; }
.designs th .unit { white-space:nowrap; } .designs tbody td { overflow-wrap:break-word; }
.designs tbody td:nth-child(2), .designs thead th:nth-child(2) { font-weight:600; color:var(--star); }
figure { margin:4px 0 0; } figcaption { color:var(--soft); font-size:14px; max-width:92ch; margin:0 0 8px; overflow-wrap:anywhere; }
.plot { width:100%; } .wide .plot { min-width:var(--width); } .middling .plot { min-width:560px; }
.note { color:var(--soft); font-size:14px; max-width:92ch; overflow-wrap:anywhere; } .facts { display:grid;
  grid-template-columns:max-content 1fr; gap:4px 20px; font-size:14px; margin:10px 0; }
.printed { display:none; }
.facts dt { color:var(--soft); } .facts dd { margin:0; overflow-wrap:anywhere; }
dl.glossary { font-size:14px; } dl.glossary dt { font-weight:600; margin-top:8px; } dl.glossary dd { margin:0; max-width:92ch;
  color:var(--soft); }
footer { margin-top:56px; padding-top:14px; padding-bottom:40px; border-top:1px solid var(--line); color:var(--faint); font-size:13px; }
.js-plotly-plot .main-svg text:not(.bartext) { fill:var(--ink) !important; }
.js-plotly-plot .bartext { pointer-events:none; }
.js-plotly-plot .hoverlayer text { fill:inherit; }
.js-plotly-plot .gridlayer path { stroke:var(--grid) !important; }
.js-plotly-plot .parcoords text { text-shadow:0 0 2px var(--ground), 0 0 3px var(--ground), 0 0 4px var(--ground),
  1px 1px 1px var(--ground) !important; }
.modebar, .modebar-group { background:transparent !important; }
@media (max-width:640px) { main, header, footer { padding-left:16px; padding-right:16px; } header { padding-top:24px; }
  h1 { font-size:26px; }
  .lead { font-size:17px; } .facts { grid-template-columns:1fr; gap:0; } .facts dd { margin-bottom:8px; }
  .tiles { grid-template-columns:1fr 1fr; }
  .tiles .value { font-size:21px; } .modebar { display:none !important; } }
@media print { :root { --ink:#000; --soft:#333; --faint:#555; --ground:#fff; --card:#fff; --line:#bbb; --grid:rgba(128,134,145,.3);
  --star:#b84e00; }
  body { font-size:11pt; } nav, .modebar { display:none !important; } main, header, footer { max-width:none; padding:0; }
  h2 { break-after:avoid; margin-top:28px; } figure, tr, .tiles { break-inside:avoid; } .scroll { overflow:visible; }
  table { font-size:8.5pt; } th, td { padding:3px 6px; }
  table.designs { min-width:0; } .designs tr > :nth-child(n+7) { display:none; } /* report_sections.PRINTED columns */
  .printed { display:block; } .plot, .middling .plot, .wide .plot { width:var(--print-width); min-width:0; }
  .wide .plot { zoom:var(--zoom); } @page { margin:15mm; } }
"""

"""The style sheet of every page: light and dark, wide and narrow, screen and paper."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --muted: #59636e; --rule: #d8dee4; --panel: #f6f8fa; --link: #0059a8;
  --bad: #b3400a; --bad-panel: #fdf1ea; --good: #00714f; --good-panel: #eaf6f1; --note: #0072b2; --note-panel: #eef5fb;
  --figure-font: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6eaee; --muted: #9aa5b1; --rule: #343b44; --panel: #1c2127; --link: #6cb6ff;
    --bad: #ff9360; --bad-panel: #33211a; --good: #4cc9a0; --good-panel: #16302a;
    --note: #6cb6ff; --note-panel: #1a2836;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 50rem; padding: 2.5rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 var(--figure-font); }
h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0; text-wrap: balance; }
h2 { font-size: 1.4rem; line-height: 1.3; margin: 3.2rem 0 0.8rem; letter-spacing: -0.01em; scroll-margin-top: 1rem; }
h3 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
p { margin: 0 0 1rem; max-width: 42rem; }
a { color: var(--link); text-underline-offset: 0.15em; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.subtitle { color: var(--muted); font-size: 1.15rem; margin: 0.6rem 0 0; }
nav { margin: 1.8rem 0 0; padding: 0.8rem 0; border-block: 1px solid var(--rule); font-size: 0.95rem; }
nav ol { margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.3rem 1.6rem; list-style: none;
  counter-reset: part; }
nav li { counter-increment: part; }
nav li::before { content: counter(part) "\\2002"; color: var(--muted); font-variant-numeric: tabular-nums; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
code, pre {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace; }
p code, li code, h1 code, h2 code, h3 code, td code, figcaption code, dt code {
  font-size: 0.88em; background: var(--panel); padding: 0.1em 0.3em; border-radius: 4px; overflow-wrap: anywhere; }
pre { margin: 0; padding: 0.9rem 1.1rem; overflow-x: auto; background: var(--panel); border: 1px solid var(--rule);
  border-radius: 8px; font-size: 0.88rem; line-height: 1.55; tab-size: 4; }
figure { margin: 1.6rem 0; }
figcaption, caption .caption { color: var(--muted); font-size: 0.92rem; line-height: 1.5; }
figcaption { margin-top: 0.5rem; max-width: 42rem; }
figure.code figcaption { margin: 0 0 0.4rem; }
.scroll { overflow-x: auto; }
.drawing svg { display: block; height: auto; }
.scroll:has(table) { margin: 1.6rem 0; }
table { border-collapse: collapse; font-size: 0.95rem; line-height: 1.4; min-width: min(100%, 24rem); }
caption { text-align: left; padding: 0 0 0.6rem; }
caption strong { display: block; }
caption .caption { display: block; font-weight: normal; }
caption strong, caption .caption { max-width: min(42rem, calc(100vw - 2rem)); }
th, td { padding: 0.42rem 1.4rem 0.42rem 0; text-align: left; white-space: nowrap; vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0.2rem; }
thead th { font-weight: 600; color: var(--muted); border-bottom: 1.5px solid var(--muted); font-size: 0.88rem; }
tbody th { font-weight: 500; }
tbody tr { border-bottom: 1px solid var(--rule); }
th.right, td.right { text-align: right; font-variant-numeric: tabular-nums; }
th.center, td.center { text-align: center; }
.bad { --mark: var(--bad); --mark-panel: var(--bad-panel); }
.good { --mark: var(--good); --mark-panel: var(--good-panel); }
.note { --mark: var(--note); --mark-panel: var(--note-panel); }
td.bad, td.good, th.bad, th.good { color: var(--mark); font-weight: 600; }
.callout { border-left: 4px solid var(--mark); background: var(--mark-panel); padding: 0.75rem 1rem; margin: 1.4rem 0;
  border-radius: 0 8px 8px 0; max-width: none; }
.callout strong { color: var(--mark); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.8rem; margin: 1.6rem 0; }
.tile { border: 1px solid var(--rule); border-top: 3px solid var(--mark); border-radius: 8px; padding: 0.8rem 1rem;
  display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.tile dd { margin: 0; font-size: 1.75rem; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile.bad dd, .tile.good dd { color: var(--mark); }
.tile dt { color: var(--muted); font-size: 0.9rem; line-height: 1.4; }
ul { padding-left: 1.3rem; max-width: 42rem; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--muted);
  font-size: 0.88rem; }
@media (max-width: 34rem) {
  body { padding: 1.5rem 1rem 3rem; font-size: 1rem; }
  h1 { font-size: 1.65rem; }
  h2 { font-size: 1.25rem; margin-top: 2.4rem; }
  nav ol { flex-direction: column; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tile dd { font-size: 1.4rem; }
  .tile:last-child:nth-child(odd) { grid-column: 1 / -1; }
  pre { font-size: 0.8rem; }
  .drawing { margin-inline: -0.6rem; }
  th, td { padding-right: 0.9rem; }
  tbody th, thead th:first-child { position: sticky; left: 0; background: var(--paper); }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --muted: #444; --rule: #bbb; --panel: #fff;
    --bad-panel: #fff; --good-panel: #fff; --note-panel: #fff; --bad: #8a2f00; --good: #00543b; --note: #00416b; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, table, .callout, .tiles, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  pre { white-space: pre-wrap; }
}
"""

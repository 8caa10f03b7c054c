"""A picture in, one page of HTML out, complete in itself: what it is, the picture, and the same as a table."""

from __future__ import annotations

from express.drawing import svg
from express.drawing.arrange import arrange
from express.drawing.diagram import Diagram
from express.drawing.marks import Mark, Marks
from express.drawing.svg import text

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 Helvetica, Arial, sans-serif; margin: 2rem; background: #ffffff; color: #1c2733; }
h1 { font-size: 1.4rem; margin: 0; } p { margin: .3rem 0; } code { font-size: .9em; }
.picture { overflow-x: auto; margin: 1.5rem 0; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #cbd5e1; vertical-align: top; }
.swatch { display: inline-block; width: .9em; height: .9em; border: 1px solid #64748b; border-radius: 3px; vertical-align: -0.1em; }
.good { background: #dcfce7; } .fair { background: #fef3c7; } .bad { background: #fecaca; } .absent { background: #f1f5f9; }
@media (prefers-color-scheme: dark) {
body { background: #0f172a; color: #e2e8f0; } th, td { border-color: #334155; }
.good { background: #14532d; } .fair { background: #78350f; } .bad { background: #7f1d1d; } .absent { background: #1e293b; }
}
"""


def render(diagram: Diagram, marks: Marks, name: str, comment: str | None, sha256: str) -> str:
    said = [f"<p>{text(comment)}</p>"] if comment else []
    if marks.title:
        said.append(f"<p>{text(marks.title)}</p>")
    if marks.legend:
        legend = " &nbsp; ".join(f'<span class="swatch {tone}"></span> {text(meaning)}' for tone, meaning in marks.legend)
        said.append(f"<p>{legend}</p>")
    rows = []
    for box in diagram.everything():
        mark = marks.states.get(box.state.location, Mark())
        cells = (f"<b>{text(box.state.name)}</b>", text(box.detail), text(mark.note), text(box.state.comment or ""))
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{text(name)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{text(name)}</h1>
{"".join(said)}
<p><code>sha256 {text(sha256[:16])}</code></p>
<div class="picture">
{svg.render(arrange(diagram, marks), name)}</div>
<table>
<thead><tr><th>State</th><th>Type</th><th>{text(marks.column)}</th><th>Comment</th></tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
</table>
</body>
</html>
"""

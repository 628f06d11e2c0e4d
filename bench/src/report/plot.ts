/** A point of a series. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A named line of a plot. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

const WIDTH = 640;
const HEIGHT = 360;
const MARGIN = { left: 70, right: 150, top: 40, bottom: 50 };
const COLOURS = ['#1769aa', '#c2410c', '#15803d', '#7e22ce'];

const escapeText = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** A line plot as an SVG document. Both axes start at zero. */
export function renderPlot(title: string, axes: { readonly x: string; readonly y: string }, series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points);
  const maxX = Math.max(1e-9, ...all.map(({ x }) => x));
  const maxY = Math.max(1e-9, ...all.map(({ y }) => y)) * 1.05;
  const px = (x: number) => MARGIN.left + (x / maxX) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (y: number) => HEIGHT - MARGIN.bottom - (y / maxY) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = py(maxY * share);
    const x = px(maxX * share);
    return `<line x1="${MARGIN.left}" y1="${y}" x2="${WIDTH - MARGIN.right}" y2="${y}" stroke="#ddd"/>
<text x="${MARGIN.left - 6}" y="${y + 4}" text-anchor="end">${Number((maxY * share).toPrecision(2))}</text>
<text x="${x}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${Number((maxX * share).toPrecision(3))}</text>`;
  });
  const lines = series.map(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length] ?? '#000';
    const path = points.map(({ x, y }) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
    const dots = points.map(({ x, y }) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3" fill="${colour}"/>`).join('');
    const legend = MARGIN.top + 18 * index;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}
<text x="${WIDTH - MARGIN.right + 12}" y="${legend}" fill="${colour}">${escapeText(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${MARGIN.left}" y="22" font-size="14" font-weight="bold">${escapeText(title)}</text>
${grid.join('\n')}
${lines.join('\n')}
<text x="${(WIDTH - MARGIN.right + MARGIN.left) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escapeText(axes.x)}</text>
<text transform="translate(16,${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escapeText(axes.y)}</text>
</svg>
`;
}

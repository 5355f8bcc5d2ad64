const cell = { width: 8, height: 18 };
const margin = 16;

/** The escapes of a terminal's colours, 30 to 37 and 90 to 97, on a dark screen. */
const colours = ["#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4"];
const bright = ["#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff"];

/** What `tmux capture-pane -e` gives, as an SVG. */
export function drawScreen(text, columns) {
  const lines = text.split("\n");
  const [width, height] = [columns * cell.width + 2 * margin, lines.length * cell.height + 2 * margin];
  const plain = lines
    .map((line) =>
      runsOf(line)
        .map((run) => run.text)
        .join(""),
    )
    .join("\n");
  const state = { colour: undefined, bold: false, dim: false };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(plain)}">`,
    "<style>text { font: 13px ui-monospace, SFMono-Regular, Menlo, 'DejaVu Sans Mono', monospace; fill: #e6edf3; white-space: pre; }</style>",
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...lines.flatMap((line, row) => drawLine(line, margin + (row + 0.75) * cell.height, state)),
    "</svg>",
    "",
  ].join("\n");
}

function drawLine(line, y, state) {
  let column = 0;
  return runsOf(line).flatMap(({ codes, text }) => {
    for (const code of codes) apply(state, code);
    const x = margin + column * cell.width;
    column += [...text].length;
    if (text.trim() === "") return [];
    // The width is given, so that columns line up in whatever font there is.
    const length = [...text].length * cell.width;
    return [
      `<text x="${x}" y="${y}" textLength="${length}" xml:space="preserve"${styleOf(state)}>${escaped(text)}</text>`,
    ];
  });
}

/** `[{ codes, text }]`: what is set before each stretch of text. */
function runsOf(line) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what is looked for.
  return [...line.matchAll(/((?:\x1b\[[\d;]*m|\x1b\(B|\x0f)*)([^\x1b\x0f]*)/g)]
    .map(([, escapes, text]) => ({
      codes: [...escapes.matchAll(/\[([\d;]*)m/g)].flatMap(([, list]) => list.split(";").map(Number)),
      text,
    }))
    .filter(({ codes, text }) => codes.length > 0 || text !== "");
}

function apply(state, code) {
  if (code === 0) Object.assign(state, { colour: undefined, bold: false, dim: false });
  else if (code === 1) state.bold = true;
  else if (code === 2) state.dim = true;
  else if (code === 22) Object.assign(state, { bold: false, dim: false });
  else if (code === 39) state.colour = undefined;
  else if (code >= 30 && code <= 37) state.colour = colours[code - 30];
  else if (code >= 90 && code <= 97) state.colour = bright[code - 90];
}

function styleOf({ colour, bold, dim }) {
  const fill = colour ?? (dim ? "#8b949e" : undefined);
  return `${fill === undefined ? "" : ` fill="${fill}" style="fill: ${fill}"`}${bold ? ' font-weight="600"' : ""}`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

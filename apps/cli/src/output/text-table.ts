import { escapeAroundMarks, fit, type Style, textWidth } from "./terminal-text.js";

export interface TableColumn {
  readonly title: string;
  readonly align?: "right";
  /** Shortened in the middle if the terminal is too narrow. At most one column. */
  readonly elastic?: true;
  /** Omitted if the elastic column would get too narrow; of several, the last one first. */
  readonly optional?: true;
  /** The style of its cells. */
  readonly style?: (text: string) => string;
}

interface TableOptions {
  /** Columns of the terminal. Undefined: nothing is cut and there are no titles, because the reader may be a program. */
  readonly width: number | undefined;
  readonly style: Style;
}

const gap = 2;
const narrowest = 28;

/** Formats rows of cells as lines. Omits columns whose cells are all empty. */
export function textTable(
  all: readonly TableColumn[],
  cells: readonly (readonly string[])[],
  { width, style }: TableOptions,
): string[] {
  if (cells.length === 0) return [];
  const rows = cells.map((row) => row.map(escapeAroundMarks));
  const titles = width !== undefined;
  let shown = all.map((column, at) => ({ column, at, width: columnWidth(column, at, rows, titles) }));
  shown = shown.filter(({ at }) => rows.some((row) => row[at] !== ""));
  const elastic = shown.find(({ column }) => column.elastic);
  if (width !== undefined && elastic !== undefined) {
    const wanted = Math.min(elastic.width, narrowest);
    for (let out = lastOptional(shown); out !== undefined; out = lastOptional(shown)) {
      if (roomFor(elastic, shown, width) >= wanted) break;
      shown = shown.filter((one) => one !== out);
    }
    elastic.width = Math.min(elastic.width, Math.max(8, roomFor(elastic, shown, width)));
  }
  const line = (cellOf: (at: number) => string, isTitle: boolean) =>
    shown
      .map(({ column, at, width: columnWidth }, index) => {
        const text = shorten(cellOf(at), columnWidth);
        const styled = isTitle ? style.dim : (column.style ?? String);
        const space = " ".repeat(Math.max(0, columnWidth - textWidth(text)));
        if (column.align === "right") return space + styled(text);
        return index === shown.length - 1 ? styled(text) : styled(text) + space;
      })
      .join(" ".repeat(gap))
      .trimEnd();
  const head = titles ? [line((at) => all[at]?.title ?? "", true)] : [];
  const lines = [...head, ...rows.map((row) => line((at) => row[at] ?? "", false))];
  return width === undefined ? lines : lines.map((text) => fit(text, width));
}

interface Shown {
  readonly column: TableColumn;
  readonly at: number;
  width: number;
}

function columnWidth(
  { title }: TableColumn,
  at: number,
  rows: readonly (readonly string[])[],
  titles: boolean,
): number {
  return rows.reduce((most, row) => Math.max(most, textWidth(row[at] ?? "")), titles ? title.length : 0);
}

function lastOptional(shown: readonly Shown[]): Shown | undefined {
  return shown.findLast(({ column }) => column.optional);
}

function roomFor(elastic: Shown, shown: readonly Shown[], width: number): number {
  return shown.reduce((room, one) => (one === elastic ? room : room - one.width - gap), width);
}

/** Shortens a text in the middle, so that the registry and the tag of a name remain. */
export function shorten(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width < 4) return text.slice(0, width);
  const end = Math.ceil((width - 1) * 0.75);
  return `${text.slice(0, width - 1 - end)}…${text.slice(text.length - end)}`;
}

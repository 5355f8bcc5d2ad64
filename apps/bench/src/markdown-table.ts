interface Column {
  readonly head: string;
  readonly right?: boolean;
}

/** Formats a table with aligned columns, like the formatter of this repository. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ head }, at) => Math.max(3, head.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const padded = (row: readonly string[]) =>
    columns.map(({ right }, at) => {
      const [cell, width] = [row[at] ?? "", widths[at] ?? 0];
      return right ? cell.padStart(width) : cell.padEnd(width);
    });
  return [
    line(padded(columns.map(({ head }) => head))),
    line(
      columns.map(({ right }, at) => (right ? `${"-".repeat((widths[at] ?? 0) - 1)}:` : "-".repeat(widths[at] ?? 0))),
    ),
    ...rows.map((row) => line(padded(row))),
  ];
}

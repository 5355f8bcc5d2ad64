import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";
import { markdownTable } from "../../apps/bench/src/markdown-table.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const source = "packages/core/src/error.ts";

/** Updated by `pnpm docs:reference`. */
it("docs/reference/errors.md lists every code with the comment of its declaration", async () => {
  const codes = codesOf(await readFile(join(root, source), "utf8"));
  expect(codes.length).toBeGreaterThan(20);
  await expect(page(codes)).toMatchFileSnapshot("../reference/errors.md");
});

/** Returns the members of the union `MoteErrorCode` with their comments. */
function codesOf(text: string): string[][] {
  const file = ts.createSourceFile("error.ts", text, ts.ScriptTarget.ES2022, true);
  const alias = file.statements.find((node) => ts.isTypeAliasDeclaration(node) && node.name.text === "MoteErrorCode");
  if (alias === undefined || !ts.isTypeAliasDeclaration(alias) || !ts.isUnionTypeNode(alias.type)) return [];
  const { types } = alias.type;
  return types.map((member, at) => {
    const before = text.slice(types[at - 1]?.end ?? alias.type.pos, member.end);
    const meaning = /\/\*\*([\s\S]*?)\*\//.exec(before)?.[1] ?? "";
    return [`\`${member.getText().slice(1, -1)}\``, meaning.replace(/\s*\n\s*\*?\s*/g, " ").trim()];
  });
}

function page(codes: readonly string[][]): string {
  return [
    "# Errors by code",
    "",
    `<!-- Generated from ${source} by \`pnpm docs:reference\`. -->`,
    "",
    "Every error of mote is a `MoteError` with one of these codes, a message that says what to do, and its cause. Codes never change",
    "their meaning; messages may. `MoteError.isInstance(error)` recognizes one, even across duplicate installations. With `--json`, the",
    'command prints the code on stderr: `{"error":{"code","message","details"}}`. Misuse by the programmer is a plain `TypeError`; an',
    "abort rejects with the reason of the signal.",
    "",
    ...markdownTable([{ head: "code" }, { head: "meaning" }], codes),
    "",
  ].join("\n");
}

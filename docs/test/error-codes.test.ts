import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";
import { markdownTable } from "../../apps/bench/src/markdown-table.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const source = "packages/core/src/error.ts";

/** `pnpm docs:reference` writes it anew. */
it("docs/reference/errors.md has every code with what its declaration says of it", async () => {
  const codes = codesOf(await readFile(join(root, source), "utf8"));
  expect(codes.length).toBeGreaterThan(20);
  await expect(page(codes)).toMatchFileSnapshot("../reference/errors.md");
});

/** The members of the union `MoteErrorCode` and the comments before them. */
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
    `<!-- Made from ${source} by docs/test/error-codes.test.ts: see CONTRIBUTING.md. -->`,
    "",
    "Whatever goes wrong in mote is a `MoteError` with one of these codes, a message that says what to do, and its cause. A code never",
    "changes its meaning; messages do. `MoteError.isInstance(error)` recognises one, across duplicate installs too. At the terminal the",
    'code is in what `--json` prints on stderr: `{"error":{"code","message","details"}}`. Misuse by the programmer is a plain',
    "`TypeError`; an abort rejects with the signal's own reason.",
    "",
    ...markdownTable([{ head: "code" }, { head: "meaning" }], codes),
    "",
  ].join("\n");
}

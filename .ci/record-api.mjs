// The public API of each package as its declarations say it, in docs/api/NAME.api.md, so that a change of it shows in review.
// Run it after `pnpm build`. `--check` writes nothing and fails where a record is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import ts from "typescript";
import { publicPackages } from "./public-packages.mjs";

const check = process.argv.includes("--check");
const packages = publicPackages().filter(({ manifest }) => manifest.exports?.["."] !== undefined);
const entries = packages.map(({ folder }) => resolve(folder, "dist/index.d.ts"));
const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  types: [],
});
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: true });

const outdated = packages.filter(({ folder, manifest }, at) => {
  const path = `docs/api/${manifest.name.split("/")[1]}.api.md`;
  const text = record(manifest.name, resolve(folder), entries[at]);
  if (read(path) === text) return false;
  if (!check) writeFileSync(path, text);
  console.log(`${path} ${check ? "is out of date" : "written"}`);
  return true;
});
if (check && outdated.length > 0) {
  console.error("The public API has changed. If it should: pnpm api:record, and commit what it writes.");
  process.exit(1);
}
if (outdated.length === 0) console.log("The recorded API is the API.");

function record(name, folder, entry) {
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)));
  const [own, others] = [new Map(), new Map()];
  for (const symbol of exported) {
    const target = resolved(symbol);
    const declarations = (target.declarations ?? []).filter(isOwn(folder));
    if (declarations.length > 0) own.set(symbol.name, declarations);
    else others.set(symbol.name, `export { ${symbol.name} } from another package`);
  }
  const hidden = mentioned(own, folder);
  return [
    `# ${name}: the public API`,
    "",
    "Written by `pnpm api:record` from the emitted declarations.",
    "",
    "```ts",
    [...sorted(own).map(print), ...sorted(others).map(([, text]) => `// ${text}`)].join("\n\n"),
    "```",
    ...(hidden.size === 0
      ? []
      : ["", "Mentioned, not exported:", "", "```ts", sorted(hidden).map(print).join("\n\n"), "```"]),
    "",
  ].join("\n");
}

/** What the exported declarations name of the same package without its being exported: its shape is public all the same. */
function mentioned(own, folder) {
  const hidden = new Map();
  const known = new Set([...own.values()].flat());
  const visit = (node) => {
    const symbol = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined;
    const declarations = symbol === undefined ? [] : (resolved(symbol).declarations ?? []).filter(isOwn(folder));
    for (const declaration of declarations) {
      if (known.has(declaration) || !isTopLevel(declaration)) continue;
      known.add(declaration);
      hidden.set(symbol.name, [...(hidden.get(symbol.name) ?? []), declaration]);
      visit(declaration);
    }
    if (!isPrivate(node)) ts.forEachChild(node, visit);
  };
  for (const declaration of [...own.values()].flat()) visit(declaration);
  return hidden;
}

function resolved(symbol) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function isOwn(folder) {
  return (declaration) => declaration.getSourceFile().fileName.startsWith(`${folder}/dist/`);
}

function isTopLevel(declaration) {
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  return ts.isSourceFile(statement.parent);
}

function isPrivate(node) {
  const isMember = ts.isClassElement(node) && node.name !== undefined;
  if (!isMember) return false;
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
  return ts.isPrivateIdentifier(node.name) || modifiers.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
}

function print([, declarations]) {
  return declarations
    .map((declaration) => {
      const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
      const visible = ts.transform(node, [() => withoutPrivate]).transformed[0];
      return printer.printNode(ts.EmitHint.Unspecified, visible, declaration.getSourceFile());
    })
    .join("\n");
}

function withoutPrivate(node) {
  if (!ts.isClassDeclaration(node)) return node;
  const { modifiers, name, typeParameters, heritageClauses, members } = node;
  const visible = members.filter((member) => !isPrivate(member));
  return ts.factory.updateClassDeclaration(node, modifiers, name, typeParameters, heritageClauses, visible);
}

function sorted(map) {
  return [...map].sort(([one], [other]) => (one < other ? -1 : 1));
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

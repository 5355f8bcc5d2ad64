import fs from "node:fs";
import { dirname } from "node:path";
import { MoteError, readRegularFile, reasonOf } from "@mote/core";
import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { suggestion } from "../input/nearest.js";
import { type ConfigFile, type Found, located } from "./found.js";
import { isKey, type Key, keyNames, keySpec } from "./keys.js";

const maxConfigBytes = 1024 * 1024;

/** Reads the settings of a configuration file. @throws MOTE_CONFIG with the file, the line and the key */
export function readConfigFile({ path, layer }: ConfigFile, env: NodeJS.ProcessEnv): Found {
  const text = read(path);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [parseError] = errors;
  const fail = (offset: number, message: string, key?: string) => {
    const line = text.slice(0, offset).split("\n").length;
    const details = { file: path, line, ...(key === undefined ? {} : { key }) };
    return new MoteError("MOTE_CONFIG", `${path}:${line}: ${message}`, { details });
  };
  if (parseError !== undefined)
    throw fail(parseError.offset, `not valid JSON: ${inWords(printParseErrorCode(parseError.error))}`);
  if (root?.type !== "object") throw fail(0, "not a JSON object, such as {}");

  const found: Found = {};
  for (const [nameNode, valueNode] of root.children?.map(({ children }) => children ?? []) ?? []) {
    if (nameNode === undefined || valueNode === undefined) continue;
    const name = String(nameNode.value);
    if (name === "$schema") continue;
    if (!isKey(name)) throw fail(nameNode.offset, `unknown setting "${name}"${suggestion(name, keyNames)}`, name);
    if (layer === "project" && !keySpec(name).inProject) throw fail(nameNode.offset, projectError(name), name);
    const line = text.slice(0, nameNode.offset).split("\n").length;
    const value = readValue(name, valueNode, (message) => fail(valueNode.offset, message, name));
    found[name] = {
      value: located(name, value, dirname(path), env),
      origin: { layer, where: `${path}:${line}` },
    };
  }
  return found;
}

function readValue(name: Key, node: Node, fail: (message: string) => MoteError): unknown {
  const { kind } = keySpec(name);
  try {
    return kind.fromJson(getNodeValue(node));
  } catch {
    throw fail(`${name} is not valid; use ${kind.expected}`);
  }
}

function projectError(name: Key): string {
  const { variable } = keySpec(name);
  return `a project's file cannot set ${name}; set it in the user's file or as ${variable}`;
}

function read(path: string): string {
  try {
    const bytes = readRegularFile(path, fs, maxConfigBytes);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).replace(/^\uFEFF/, " ");
  } catch (cause) {
    const message = `cannot read ${path}: ${reasonOf(cause)}; check the file and its permissions`;
    throw new MoteError("MOTE_CONFIG", message, { cause, details: { file: path } });
  }
}

/** `CloseBraceExpected` → `close brace expected`. */
function inWords(name: string): string {
  return name.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}

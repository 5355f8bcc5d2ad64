import { dirname } from "node:path";
import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { readNamedFile, reasonOf } from "../input/named-file.js";
import { suggestion } from "../input/nearest.js";
import { ConfigError } from "./config-error.js";
import { type ConfigFile, type Found, located } from "./found.js";
import { isKey, type Key, keyNames, keySpec } from "./keys.js";

const maxConfigBytes = 1024 * 1024;

/** What a configuration file sets: JSON with comments. @throws ConfigError that names the file, the line and the key */
export function readConfigFile({ path, layer }: ConfigFile, env: NodeJS.ProcessEnv): Found {
  const text = read(path);
  const faults: ParseError[] = [];
  const root = parseTree(text, faults, { allowTrailingComma: true });
  const [fault] = faults;
  const fail = (offset: number, message: string, key?: string) => {
    const line = text.slice(0, offset).split("\n").length;
    return new ConfigError(`${path}:${line}: ${message}`, { file: path, line, ...(key === undefined ? {} : { key }) });
  };
  if (fault !== undefined) throw fail(fault.offset, `is no JSON: ${inWords(printParseErrorCode(fault.error))}`);
  if (root?.type !== "object") throw fail(0, "wants one JSON object, such as {}");

  const found: Found = {};
  for (const [nameNode, valueNode] of root.children?.map(({ children }) => children ?? []) ?? []) {
    if (nameNode === undefined || valueNode === undefined) continue;
    const name = String(nameNode.value);
    if (name === "$schema") continue;
    if (!isKey(name)) throw fail(nameNode.offset, `there is no setting "${name}"${suggestion(name, keyNames)}`, name);
    if (layer === "project" && !keySpec(name).inProject) throw fail(nameNode.offset, refusal(name), name);
    const line = text.slice(0, nameNode.offset).split("\n").length;
    const value = readValue(name, valueNode, (message) => fail(valueNode.offset, message, name));
    found[name] = {
      value: located(name, value, dirname(path), env),
      origin: { layer, where: `${path}:${line}` },
    };
  }
  return found;
}

function readValue(name: Key, node: Node, fail: (message: string) => ConfigError): unknown {
  const { kind } = keySpec(name);
  try {
    return kind.fromJson(getNodeValue(node));
  } catch {
    throw fail(`${name} wants ${kind.wanted}`);
  }
}

/** A project's file comes with a clone, from whoever wrote it: it may not say where content is trusted to come from. */
function refusal(name: Key): string {
  const { variable } = keySpec(name);
  return `${name} is not for a project's file, which may be somebody else's; set it in your own or as ${variable}`;
}

function read(path: string): string {
  try {
    return readNamedFile(path, maxConfigBytes).replace(/^\uFEFF/, " ");
  } catch (cause) {
    throw new ConfigError(
      `${path} cannot be read: ${reasonOf(cause)}; check the file and its permissions`,
      { file: path },
      { cause },
    );
  }
}

/** `CloseBraceExpected` → `close brace expected`. */
function inWords(name: string): string {
  return name.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}

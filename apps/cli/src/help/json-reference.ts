import { isRecord } from "@mote/core";
import { z } from "zod";
import type { CommandSpec } from "../input/command.js";
import { documents } from "../json/documents.js";
import { eventLine, failureDocument } from "../json/lines.js";

/** Returns `docs/reference/json.md`, generated from the schemas. */
export function jsonReference(table: readonly CommandSpec[]): string {
  const silent = table.filter(({ withoutJson, hidden }) => withoutJson && !hidden);
  return [
    "# JSON",
    "",
    "<!-- Generated from apps/cli/src/json by `pnpm docs:reference`. -->",
    "",
    "With `--json`, a command prints one document on stdout and no notes; warnings remain lines on stderr. If the command fails,",
    "stdout is empty, stderr has one line as below, and the exit status is the same as without `--json`. New fields may be added;",
    "existing ones keep their names and meanings. The tests validate the output of every command against these schemas. Below,",
    "`field?` is optional, and a comment gives the unit or the meaning.",
    "",
    `Commands without JSON output: ${silent.map(({ name, withoutJson }) => `\`mote ${name}\` (${withoutJson})`).join(", ")}.`,
    "",
    "## Errors",
    "",
    ...form(failureDocument),
    "",
    "The code is stable; the message is for people and may change.",
    "",
    "## Events",
    "",
    "`--json=events` prints a line for each event of a transfer as it happens, and finally a line with the document of the command:",
    "",
    ...form(eventLine),
    ...table.flatMap(({ name }) => {
      const schema = documents[name];
      return schema === undefined ? [] : ["", `## mote ${name}`, "", ...form(schema)];
    }),
    "",
  ].join("\n");
}

/** Returns a JSON Schema for each document. */
export function jsonSchemas(): string {
  const all = { ...documents, failure: failureDocument, "event line": eventLine };
  const $defs = Object.fromEntries(Object.entries(all).map(([name, schema]) => [name, withoutDialect(schema)]));
  return `${JSON.stringify({ $schema: "https://json-schema.org/draft/2020-12/schema", $defs }, undefined, 2)}\n`;
}

function withoutDialect(schema: z.ZodType): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema);
  return rest;
}

function form(schema: z.ZodType): string[] {
  const root = z.toJSONSchema(schema);
  return ["```text", write(root, { indent: "", root }), "```"];
}

type Schema = z.core.JSONSchema.BaseSchema;

interface Position {
  readonly indent: string;
  readonly root: Schema;
}

/** Writes a schema like a TypeScript type. */
function write(schema: Schema, position: Position): string {
  const { indent, root } = position;
  if (schema.$ref !== undefined) return schema.$ref === "#" ? "…" : `${schema.$ref.replace(/^.*\//, "")}…`;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices)
    return choices.map((one) => write(asSchema(one), position)).join(` |${choices.length > 2 ? `\n${indent}` : " "}`);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") {
    const item = write(asSchema(schema.items), position);
    return `${item}[]`;
  }
  if (schema.type === "object") return writeObject(schema, { indent, root });
  return schema.type === undefined ? "anything" : schema.type === "integer" ? "number" : String(schema.type);
}

function writeObject(schema: Schema, { indent, root }: Position): string {
  const inner = `${indent}  `;
  if (schema.properties === undefined) {
    return `{ [name]: ${write(asSchema(schema.additionalProperties), { indent: inner, root })} }`;
  }
  const lines = Object.entries(schema.properties).map(([name, property]) => {
    const known = asSchema(property);
    const optional = schema.required?.includes(name) ? "" : "?";
    const about = known.description === undefined ? "" : `   // ${known.description}`;
    return `${inner}${JSON.stringify(name)}${optional}: ${write(known, { indent: inner, root })}${about}`;
  });
  return `{\n${lines.join("\n")}\n${indent}}`;
}

function asSchema(schema: unknown): Schema {
  return isRecord(schema) ? schema : {};
}

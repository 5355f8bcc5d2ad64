import { z } from "zod";
import type { CommandSpec } from "../input/command.js";
import { documents, eventLine, failureDocument } from "../json/documents.js";

/** `docs/reference/json.md`, from the schemas. */
export function jsonReference(table: readonly CommandSpec[]): string {
  const silent = table.filter(({ withoutJson, hidden }) => withoutJson && !hidden);
  return [
    "# JSON",
    "",
    "<!-- Made from apps/cli/src/json by `pnpm docs:reference`. -->",
    "",
    "Under `--json` a command prints one document on stdout and no notes; warnings stay lines on stderr. Where it fails, stdout stays",
    "empty, stderr has one line of the form below, and the exit status is that of the plain command. Fields may be added; those that",
    "are here keep their names and meanings. Every command is run against these schemas in the tests. In the forms, `field?` may be",
    "missing, and text behind `//` says what a number is.",
    "",
    `Without JSON: ${silent.map(({ name, withoutJson }) => `\`mote ${name}\` (${withoutJson})`).join(", ")}.`,
    "",
    "## Failure",
    "",
    ...form(failureDocument),
    "",
    "The code is stable, the message is for people.",
    "",
    "## Events",
    "",
    "`--json=events` writes a line for each event of a transfer as it happens, and at last the result, with the command's document:",
    "",
    ...form(eventLine),
    ...table.flatMap(({ name }) => {
      const schema = documents[name];
      return schema === undefined ? [] : ["", `## mote ${name}`, "", ...form(schema)];
    }),
    "",
  ].join("\n");
}

/** The same for programs: a JSON Schema for each document. */
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

interface Place {
  readonly indent: string;
  readonly root: Schema;
}

/** A schema in the way of a TypeScript type. */
function write(schema: Schema, place: Place): string {
  const { indent, root } = place;
  if (schema.$ref !== undefined) return schema.$ref === "#" ? "…" : `${schema.$ref.replace(/^.*\//, "")}…`;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices)
    return choices.map((one) => write(asSchema(one), place)).join(` |${choices.length > 2 ? `\n${indent}` : " "}`);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") {
    const item = write(asSchema(schema.items), place);
    return `${item}[]`;
  }
  if (schema.type === "object") return writeObject(schema, { indent, root });
  return schema.type === undefined ? "anything" : schema.type === "integer" ? "number" : String(schema.type);
}

function writeObject(schema: Schema, { indent, root }: Place): string {
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
  return isSchema(schema) ? schema : {};
}

function isSchema(schema: unknown): schema is Schema {
  return typeof schema === "object" && schema !== null && !Array.isArray(schema);
}

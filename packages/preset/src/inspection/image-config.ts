import { type Digest, isRecord, parseJsonRecord } from "@mote/core";
import type { HistoryEntry, InspectedConfig } from "./inspection.js";

/** Reads an image config leniently: fields of a wrong type are left out. Undefined if it is not a JSON object. */
export function readImageConfig(bytes: Uint8Array, digest: Digest): InspectedConfig | undefined {
  const body = parseJsonRecord(bytes, { invalidUtf8: "replace" });
  if (body === undefined) return undefined;
  const run = isRecord(body.config) ? body.config : {};
  return defined({
    digest,
    created: textOf(body.created),
    author: textOf(body.author),
    user: textOf(run.User),
    entrypoint: textsOf(run.Entrypoint),
    cmd: textsOf(run.Cmd),
    env: textsOf(run.Env),
    workingDir: textOf(run.WorkingDir),
    exposedPorts: keysOf(run.ExposedPorts),
    volumes: keysOf(run.Volumes),
    stopSignal: textOf(run.StopSignal),
    labels: labelsOf(run.Labels),
    history: (Array.isArray(body.history) ? body.history : []).filter(isRecord).map(historyEntry),
  });
}

function historyEntry(entry: Record<string, unknown>): HistoryEntry {
  return defined({
    created: textOf(entry.created),
    createdBy: textOf(entry.created_by),
    author: textOf(entry.author),
    comment: textOf(entry.comment),
    isEmpty: entry.empty_layer === true,
  });
}

/** Removes undefined fields, so that the object is the same as its JSON. */
export function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((each) => typeof each === "string");
}

function keysOf(value: unknown): readonly string[] | undefined {
  return isRecord(value) ? Object.keys(value) : undefined;
}

function labelsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isRecord(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

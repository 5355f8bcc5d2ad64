import { redactUrl } from "@mote/core";
import type { Context } from "../context.js";
import { suggestion } from "../input/nearest.js";
import { UsageError } from "../input/usage-error.js";
import { fit } from "../output/terminal-text.js";
import { isKey, keyNames, keySpec } from "../settings/keys.js";

/** Prints each setting with its value and its origin, or the value of one setting. */
export async function config(context: Context, only: string | undefined): Promise<void> {
  const { out, loaded } = context;
  if (only !== undefined && !isKey(only)) {
    throw new UsageError(`unknown setting "${only}"${suggestion(only, keyNames)} (see mote config)`);
  }
  const { files, settings, origins } = loaded;
  const keys = keyNames.filter((key) => only === undefined || key === only);
  const rows = keys.map((key) => ({ key, value: withoutPasswords(settings[key] ?? null), ...origins[key] }));
  const { dim } = out.style;
  const shown = rows.map(({ key, value, layer, where }) => ({
    key,
    text: value === null ? keySpec(key).byDefault : inText(value),
    from: where ?? layer,
    isSet: layer !== "default",
  }));
  const wide = Math.min(40, Math.max(...shown.map(({ text }) => text.length)));
  const lines = shown.map(({ key, text, from, isSet }) => {
    const rest = `${text.padEnd(wide)}  ${from}`;
    return `${key.padEnd(15)} ${isSet ? rest : dim(rest)}`;
  });
  const looked = files.map(({ path, exists, layer }) => `${layer} file    ${path}${exists ? "" : dim(" (none)")}`);
  const all = [...lines, "", ...looked];
  const fitted = out.columns === undefined ? all : all.map((line) => fit(line, out.columns ?? 80));
  const values = rows.map(({ value }) => (value === null ? "" : inText(value)));
  out.result({ settings: rows, files }, only === undefined ? fitted : values);
}

/** Returns a value without the passwords in URLs. */
function withoutPasswords(value: unknown): unknown {
  if (typeof value === "string") return redactUrl(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([prefix, urls]) => [
      redactUrl(prefix),
      [urls].flat().map((url) => redactUrl(String(url))),
    ]),
  );
}

function inText(value: unknown): string {
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([prefix, urls]) => `${prefix}=${urls}`)
    .join(" ");
}

import { redactUrls } from "@mote/core";

/** Minimum length of a secret to redact. Shorter ones would match in any text. */
const shortest = 3;

/** The value of a secret's name in a header, a form, JSON, or JSON in JSON. */
const namedSecret =
  /((?:\bauthorization["'\\]{0,2}[:=] {0,3}["'\\]{0,2}(?:(?:basic|bearer) {1,3})?|(?:passw(?:or)?d|(?:access|refresh|id|identity)_?token|client_?secret|api_?key|["']token)["'\\]{0,2} {0,3}[:=] {0,3}["'\\]{0,2}))[^\s"'\\&,;}\]]+/gi;

/** Returns the secrets of an `Authorization` header, in each form that a response may repeat. */
export function secretsIn(authorization: string | undefined): readonly string[] {
  const [scheme = "", ...rest] = (authorization ?? "").split(" ");
  const value = rest.join(" ").trim();
  if (scheme.toLowerCase() !== "basic") return [value];
  const login = Buffer.from(value, "base64").toString("utf8");
  return [value, login, login.slice(login.indexOf(":") + 1)];
}

/** Returns the secrets of a signed URL. A digest is not a secret. */
export function secretsInQuery(url: URL): readonly string[] {
  const values = [...url.searchParams].filter(([name]) => name !== "digest").map(([, value]) => value);
  return [...values, ...values.map(encodeURIComponent)];
}

/** Redacts a server's text: secrets that were sent, users and queries of URLs, and values it labels as passwords or tokens. */
export function redact(text: string, secrets: readonly string[]): string {
  let redacted = text;
  // The longest first, so that no remainder is left.
  const forms = secrets.filter(({ length }) => length >= shortest).flatMap(formsOf);
  for (const secret of forms.sort((a, b) => b.length - a.length)) redacted = redacted.replaceAll(secret, "***");
  return redactUrls(redacted).replace(namedSecret, "$1***");
}

/** Unchanged, and as in JSON and URLs. */
function formsOf(secret: string): string[] {
  return [
    ...new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(Buffer.from(secret).toString())]),
  ];
}

import { redactUrls } from "@mote/core";

/** Shorter ones would be found in every text. */
const shortest = 3;

/** What follows a name that only a secret has, as a header, a form, JSON, or JSON in JSON writes it. */
const namedSecret =
  /((?:\bauthorization["'\\]{0,2}[:=] {0,3}["'\\]{0,2}(?:(?:basic|bearer) {1,3})?|(?:passw(?:or)?d|(?:access|refresh|id|identity)_?token|client_?secret|api_?key|["']token)["'\\]{0,2} {0,3}[:=] {0,3}["'\\]{0,2}))[^\s"'\\&,;}\]]+/gi;

/** What an `Authorization` header gives away, in every form in which it could be repeated. */
export function secretsIn(authorization: string | undefined): readonly string[] {
  const [scheme = "", ...rest] = (authorization ?? "").split(" ");
  const value = rest.join(" ").trim();
  if (scheme.toLowerCase() !== "basic") return [value];
  const login = Buffer.from(value, "base64").toString("utf8");
  return [value, login, login.slice(login.indexOf(":") + 1)];
}

/** What a URL that a server has signed gives away. A digest is not a secret. */
export function secretsInQuery(url: URL): readonly string[] {
  const values = [...url.searchParams].filter(([name]) => name !== "digest").map(([, value]) => value);
  return [...values, ...values.map(encodeURIComponent)];
}

/** Returns a server's text without what must not be repeated: what was sent to it, users and queries of URLs, and what it calls a password or token. */
export function redact(text: string, secrets: readonly string[]): string {
  let redacted = text;
  // The longest first, so that no part of one is left over.
  const forms = secrets.filter(({ length }) => length >= shortest).flatMap(formsOf);
  for (const secret of forms.sort((a, b) => b.length - a.length)) redacted = redacted.replaceAll(secret, "***");
  return redactUrls(redacted).replace(namedSecret, "$1***");
}

/** As it is, and as JSON and a URL write it. */
function formsOf(secret: string): string[] {
  return [
    ...new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(Buffer.from(secret).toString())]),
  ];
}

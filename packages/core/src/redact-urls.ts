/** Returns whether a character ends a URL. */
const isEnd = (code: number): boolean =>
  code <= 0x20 || code === 0x22 || code === 0x27 || code === 0x3c || code === 0x3e || code === 0x7f;
const isWord = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f;
const [slash, question, hash] = [0x2f, 0x3f, 0x23];

/**
 * Replaces the user, password, query and fragment of every URL in a text, which may be secret, with `***`. Runs in linear time on any text.
 */
export function redactUrls(text: string): string {
  let shown = "";
  let at = 0;
  let run: Run = { end: 0, lastAt: -1 };
  for (let found = text.indexOf("://"); found >= 0; found = text.indexOf("://", at)) {
    const start = found + 3;
    shown += text.slice(at, start);
    at = start;
    if (!isWord(text.charCodeAt(found - 1))) continue;
    if (run.end < start) run = runFrom(text, start);
    let authorityEnd = start;
    while (authorityEnd < run.end && !isDelimiter(text.charCodeAt(authorityEnd))) authorityEnd++;
    const userEnd = endOfUser(text.slice(start, authorityEnd), run.lastAt - start);
    if (userEnd > 0) {
      shown += "***";
      at = start + userEnd;
      authorityEnd = Math.max(authorityEnd, at);
    }
    // Another URL may begin in the path of this one.
    let end = authorityEnd;
    if (text.startsWith("://", end - 1) && end - 1 >= at) end--;
    while (end < run.end && !isQuery(text.charCodeAt(end)) && !text.startsWith("://", end)) end++;
    shown += text.slice(at, end);
    at = end;
    if (end < run.end && isQuery(text.charCodeAt(end))) {
      shown += `${text[end]}***`;
      at = run.end;
    }
  }
  return shown + text.slice(at);
}

/**
 * Redacts a URL, or `host/path` without a scheme, like `redactUrls`. Not for references, in which an `@` precedes a digest.
 */
export function redactUrl(url: string): string {
  if (url.includes("://")) return redactUrls(url);
  const user = url.lastIndexOf("@");
  return redactUrls(user < 0 ? url : `***${url.slice(user)}`);
}

/** The end of a URL, and the last `@` before it. */
interface Run {
  readonly end: number;
  readonly lastAt: number;
}

function runFrom(text: string, start: number): Run {
  let lastAt = -1;
  let end = start;
  for (; end < text.length && !isEnd(text.charCodeAt(end)); end++) if (text[end] === "@") lastAt = end;
  return { end, lastAt };
}

/**
 * Returns the position in the authority of the `@` that follows the user; 0 if there is no user. `lastAt` is the last `@` before the end of
 * the URL.
 */
function endOfUser(authority: string, lastAt: number): number {
  const at = authority.lastIndexOf("@");
  if (at > 0) return at;
  // A password may contain an unescaped slash or question mark; then the text after the colon is not a port.
  const hasPassword = /^[^[:]*:(?!\d*$)/.test(authority);
  return hasPassword && lastAt > authority.length ? lastAt : 0;
}

function isDelimiter(code: number): boolean {
  return code === slash || isQuery(code);
}

function isQuery(code: number): boolean {
  return code === question || code === hash;
}

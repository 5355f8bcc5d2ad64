/** What ends a URL in a text. */
const isEnd = (code: number): boolean =>
  code <= 0x20 || code === 0x22 || code === 0x27 || code === 0x3c || code === 0x3e || code === 0x7f;
const isWord = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f;
const [slash, question, hash] = [0x2f, 0x3f, 0x23];

/**
 * Returns the text with the user, the password, the query and the fragment of every URL in it replaced by `***`: these are the
 * parts that hold secrets. Reads every character a bounded number of times, whatever the text.
 */
export function hideUrlSecrets(text: string): string {
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
 * Returns a URL, or `host/path` without a scheme, as `hideUrlSecrets` does. Only for text that is known to be a URL: in a
 * reference, an `@` separates a digest.
 */
export function showUrl(url: string): string {
  if (url.includes("://")) return hideUrlSecrets(url);
  const user = url.lastIndexOf("@");
  return hideUrlSecrets(user < 0 ? url : `***${url.slice(user)}`);
}

/** The characters up to the next one that ends a URL, and the last `@` among them. */
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
 * Where the `@` behind the user is, counted from the beginning of the authority; 0 if there is no user. `lastAt` is the last `@`
 * before the URL's end.
 */
function endOfUser(authority: string, lastAt: number): number {
  const at = authority.lastIndexOf("@");
  if (at > 0) return at;
  // A password may have been written with a slash or a question mark in it: then what follows the colon is not a port.
  const hasPassword = /^[^[:]*:(?!\d*$)/.test(authority);
  return hasPassword && lastAt > authority.length ? lastAt : 0;
}

function isDelimiter(code: number): boolean {
  return code === slash || isQuery(code);
}

function isQuery(code: number): boolean {
  return code === question || code === hash;
}

import fs from "node:fs";
import { escapeJson } from "../output/terminal-text.js";
import type { ServedRequest } from "../wire.js";

/** The longest path and user agent of a line, in characters. */
const maxTextLength = 1024;
/** The most that is written at once. A pipe does not mix such writes of several processes. */
const maxWriteBytes = 4096;
/** Lines that a slow reader has yet to take. Further ones are dropped. */
const maxWaitingLines = 10_000;
const retryMs = 20;

/** Parameters of the distribution API. The values of others may be secrets. */
const shownParameters = ["ns", "n", "last", "artifactType", "digest", "mount", "from"];

/** Returns the line of a request, as JSON in printable ASCII. */
export function accessLine({ facts, ...request }: ServedRequest, now = new Date()): string {
  const { client, method, status, bytesSent, durationMs, isHit, userAgent, complete } = request;
  const document = {
    time: now.toISOString(),
    client,
    user: facts.user,
    member: facts.member,
    method: method.slice(0, 20),
    path: shownPath(request.path),
    status,
    bytes: bytesSent,
    ms: Math.round(durationMs * 10) / 10,
    upstream: isHit === true ? undefined : facts.upstream,
    cache: isHit === undefined ? undefined : isHit ? "hit" : "miss",
    agent: userAgent?.slice(0, maxTextLength),
    ...(complete ? {} : { complete }),
  };
  return escapeJson(JSON.stringify(document)).replace(/[^\n\x20-\x7e]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Removes the host of an absolute URL, which may have a password, and the values of unknown parameters. */
function shownPath(target: string): string {
  const [path = "", query] = target.replace(/^[a-z]+:\/\/[^/?#]*/i, "").split(/\?(.*)/s);
  const parameters = (query ?? "").split("&").map((parameter) => {
    const [name = "", value] = parameter.split(/=(.*)/s);
    return value === undefined || shownParameters.includes(name) ? parameter : `${name}=…`;
  });
  return (query === undefined ? path : `${path}?${parameters.join("&")}`).slice(0, maxTextLength);
}

/** Writes lines to stderr without blocking the process, even if no process reads it. */
export class AccessLog {
  #waiting: string[] = [];
  #dropped = 0;
  #writing: Promise<void> | undefined;

  add(request: ServedRequest): void {
    if (this.#waiting.length >= maxWaitingLines) this.#dropped++;
    else this.#waiting.push(`${accessLine(request)}\n`);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Waits until all lines are written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // Lines of the same turn are written together.
    await new Promise((resolve) => setImmediate(resolve));
    for (let text = this.#take(); text !== ""; text = this.#take()) await writeToStderr(text);
  }

  /** Takes whole lines, up to the size of a write. */
  #take(): string {
    let count = 0;
    let length = 0;
    while (count < this.#waiting.length) {
      length += this.#waiting[count]?.length ?? 0;
      if (count > 0 && length > maxWriteBytes) break;
      count++;
    }
    if (count === 0 && this.#dropped > 0) {
      const line = `${JSON.stringify({ time: new Date().toISOString(), dropped: this.#dropped })}\n`;
      this.#dropped = 0;
      return line;
    }
    return this.#waiting.splice(0, count).join("");
  }
}

/** Writes ASCII text. Gives up if stderr is closed. */
function writeToStderr(text: string): Promise<void> {
  return new Promise((resolve) => {
    fs.write(2, text, (error, written) => {
      if (error?.code === "EAGAIN") setTimeout(() => void writeToStderr(text).then(resolve), retryMs);
      else if (error === null && written < text.length) void writeToStderr(text.slice(written)).then(resolve);
      else resolve();
    });
  });
}

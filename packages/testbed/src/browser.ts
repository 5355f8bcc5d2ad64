import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";

/** A page in headless Chromium, driven by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/). */
export interface BrowserPage extends AsyncDisposable {
  /** Errors that the page has logged, such as violations of its Content-Security-Policy. */
  readonly errors: readonly string[];
  /** Resolves when the page is loaded. */
  open(url: string): Promise<void>;
  /** Returns the value of a JavaScript expression in the page. A promise is awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** Resolves when the expression is true. */
  until(expression: string): Promise<void>;
  /** Presses a key, such as `Tab`, or types a letter. */
  press(key: string): Promise<void>;
  type(text: string): Promise<void>;
  /** Returns a PNG of the whole page. */
  screenshot(): Promise<Uint8Array>;
  send(method: string, params?: object): Promise<unknown>;
}

export interface BrowserOptions {
  /** In CSS pixels. Default 1100. */
  readonly width?: number;
  readonly colorScheme?: "light" | "dark";
  /** Default true. */
  readonly javaScript?: boolean;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** Starts a browser with one page. Its profile is temporary. */
export async function openBrowser(options: BrowserOptions = {}): Promise<BrowserPage> {
  const { width = 1100, colorScheme = "light", javaScript = true } = options;
  const profile = mkdtempSync(join(tmpdir(), "mote-browser-"));
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"];
  const browser = spawn(
    "chromium",
    [...flags, `--user-data-dir=${profile}`, "--remote-debugging-pipe", "about:blank"],
    {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      // A process group of its own, so that its children end with it: they write to the profile.
      detached: true,
    },
  );
  const exited = once(browser, "exit");
  const [, , , input, output] = browser.stdio;
  if (!(input instanceof Writable) || !(output instanceof Readable)) throw new TypeError("the browser has no pipes");
  const protocol = new Protocol(input, output);
  const { targetInfos } = (await protocol.send("Target.getTargets")) as {
    targetInfos: { type: string; targetId: string }[];
  };
  const targetId = targetInfos.find(({ type }) => type === "page")?.targetId;
  const attached = (await protocol.send("Target.attachToTarget", { targetId, flatten: true })) as { sessionId: string };
  const send = (method: string, params: object = {}) => protocol.send(method, params, attached.sessionId);
  for (const domain of ["Page", "Runtime", "Log"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: width < 500 });
  await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: colorScheme }] });
  if (!javaScript) await send("Emulation.setScriptExecutionDisabled", { value: true });
  const evaluate = async (expression: string): Promise<unknown> => {
    const evaluated = (await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })) as {
      result: { value: unknown };
      exceptionDetails?: { exception?: { description?: string } };
    };
    const { exceptionDetails, result } = evaluated;
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? "an exception");
    return result.value;
  };
  return {
    errors: protocol.errors,
    async open(url) {
      const loaded = protocol.next("Page.loadEventFired");
      await send("Page.navigate", { url });
      await loaded;
    },
    evaluate: evaluate as BrowserPage["evaluate"],
    async until(expression) {
      // Ends with the test's own time limit.
      while ((await evaluate(expression)) !== true) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    async press(key) {
      const codes: Readonly<Record<string, number>> = { Tab: 9, Enter: 13, " ": 32 };
      const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
      const event = { key, windowsVirtualKeyCode: codes[key], ...(text === undefined ? {} : { text }) };
      await send("Input.dispatchKeyEvent", { ...event, type: text === undefined ? "rawKeyDown" : "keyDown" });
      await send("Input.dispatchKeyEvent", { ...event, type: "keyUp" });
    },
    async type(text) {
      await send("Input.insertText", { text });
    },
    async screenshot() {
      const { data } = (await send("Page.captureScreenshot", { captureBeyondViewport: true })) as { data: string };
      return Buffer.from(data, "base64");
    },
    send,
    async [Symbol.asyncDispose]() {
      // Not if it has ended: its process id may be another's.
      if (browser.pid !== undefined && browser.exitCode === null && browser.signalCode === null) {
        process.kill(-browser.pid, "SIGKILL");
      }
      await exited;
      rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

/** Messages over the browser's pipes, each ended by a zero byte. */
class Protocol {
  readonly errors: string[] = [];
  readonly #input: Writable;
  readonly #pending = new Map<number, (message: Message) => void>();
  readonly #waiting = new Map<string, () => void>();
  #id = 0;

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    let text = "";
    output.setEncoding("utf8").on("data", (chunk: string) => {
      const messages = (text + chunk).split("\0");
      text = messages.pop() ?? "";
      for (const message of messages) this.#received(JSON.parse(message));
    });
  }

  async send(method: string, params: object = {}, sessionId?: string): Promise<unknown> {
    const id = ++this.#id;
    this.#input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await new Promise<Message>((resolve) => this.#pending.set(id, resolve));
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** Resolves with the next event of this name. */
  next(method: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(method, resolve));
  }

  #received(message: Message): void {
    const { id, method, params } = message;
    if (id !== undefined) this.#pending.get(id)?.(message);
    if (method === undefined) return;
    this.#waiting.get(method)?.();
    if (method === "Runtime.exceptionThrown") this.errors.push(JSON.stringify(params));
    const entry = params?.entry as { level?: string; text?: string } | undefined;
    if (method === "Log.entryAdded" && entry?.level === "error") this.errors.push(entry.text ?? "");
  }
}

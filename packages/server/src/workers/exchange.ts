/** How long the other processes may take to respond. A busy or dying process must not delay a request for figures. */
const answerMs = 2000;

type Answer = () => unknown;

/** Messages between the processes that serve one cache, for example requests for their figures. */
export interface Exchange {
  /** Registers what this process answers to a question. The result, or what it resolves to, is sent as JSON. */
  answer(question: string, answer: Answer): void;
  /** Returns the responses of all processes that support the request, its own first. Those that do not respond within 2 s are omitted. */
  ask(question: string): Promise<unknown[]>;
}

/** The exchange of a process that serves alone. */
export class LocalExchange implements Exchange {
  readonly #answers = new Map<string, Answer>();

  answer(question: string, answer: Answer): void {
    this.#answers.set(question, answer);
  }

  async ask(question: string): Promise<unknown[]> {
    const answer = this.#answers.get(question);
    return answer === undefined ? [] : [await answer()];
  }
}

/** The end of a message channel to another process, such as `process` in a child, or a `Worker` of `node:cluster`. */
export interface Channel {
  send?(message: object): unknown;
  on(event: "message", listener: (message: unknown) => void): unknown;
  once(event: "disconnect", listener: () => void): unknown;
}

/** What one process sends to another. `answers` is undefined in a question. */
interface Message {
  readonly exchange: "question" | "answers";
  /** Chosen by the requesting process. */
  readonly id: number;
  readonly question: string;
  readonly answers?: readonly unknown[];
}

/** The exchange of one of several processes: its parent passes the questions on to the others. */
export class WorkerExchange implements Exchange {
  readonly #local = new LocalExchange();
  readonly #parent: Channel;
  readonly #pending: PendingQuestions;

  constructor(parent: Channel) {
    this.#parent = parent;
    this.#pending = new PendingQuestions();
    parent.on("message", (message) => void this.#receive(message));
  }

  answer(question: string, answer: Answer): void {
    this.#local.answer(question, answer);
  }

  async ask(question: string): Promise<unknown[]> {
    // The parent has a time limit, too, so that this one must be longer.
    const others = this.#pending.send(this.#parent, question, 2 * answerMs);
    return [...(await this.#local.ask(question)), ...(await others)];
  }

  async #receive(message: unknown): Promise<void> {
    if (!isMessage(message)) return;
    if (message.exchange === "answers") return this.#pending.settle(message);
    const answers = await this.#local.ask(message.question).catch(() => []);
    this.#parent.send?.({ ...message, exchange: "answers", answers });
  }
}

/** The parent's part of the exchanges: connects its workers with each other. */
export class ExchangeHub {
  readonly #workers = new Map<Channel, PendingQuestions>();

  /** Adds a worker until it disconnects. */
  connect(worker: Channel): void {
    const pending = new PendingQuestions();
    this.#workers.set(worker, pending);
    worker.on("message", (message) => {
      if (!isMessage(message)) return;
      if (message.exchange === "answers") pending.settle(message);
      else void this.#ask(worker, message);
    });
    worker.once("disconnect", () => {
      this.#workers.delete(worker);
      pending.close();
    });
  }

  async #ask(asking: Channel, message: Message): Promise<void> {
    const others = [...this.#workers].filter(([worker]) => worker !== asking);
    const answers = await Promise.all(
      others.map(([worker, pending]) => pending.send(worker, message.question, answerMs)),
    );
    if (this.#workers.has(asking)) asking.send?.({ ...message, exchange: "answers", answers: answers.flat() });
  }
}

/** The requests to other processes that have no response yet. */
class PendingQuestions {
  readonly #pending = new Map<number, (answers: readonly unknown[]) => void>();
  #lastId = 0;

  /** Resolves to an empty array if there is no answer in time. */
  send(to: Channel, question: string, timeoutMs: number): Promise<readonly unknown[]> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle({ id, answers: [] }), timeoutMs);
      this.#pending.set(id, (answers) => {
        clearTimeout(timer);
        resolve(answers);
      });
      to.send?.({ exchange: "question", id, question } satisfies Message);
    });
  }

  settle({ id, answers = [] }: Pick<Message, "id" | "answers">): void {
    this.#pending.get(id)?.(answers);
    this.#pending.delete(id);
  }

  close(): void {
    for (const id of [...this.#pending.keys()]) this.settle({ id, answers: [] });
  }
}

function isMessage(message: unknown): message is Message {
  return typeof message === "object" && message !== null && "exchange" in message;
}

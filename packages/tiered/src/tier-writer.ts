import type { ByteRange, Mote, MoteInfo, MoteWriter, RangedWriter, ResumableWriter } from "@mote/core";

/** Called around the commit of a writer. */
export interface CommitSteps {
  /** Called before the mote becomes visible. */
  before(mote: Mote): Promise<void>;
  /** Called if it did not. */
  failed(mote: Mote): Promise<void>;
  after(mote: Mote): Promise<void> | void;
}

/** A writer of the near cache whose mote is then written to the far tier. */
export class TierWriter implements MoteWriter {
  readonly #writer: MoteWriter;
  readonly #mote: Mote;
  readonly #steps: CommitSteps;
  #closing: Promise<MoteInfo> | undefined;

  constructor(writer: MoteWriter, mote: Mote, steps: CommitSteps) {
    this.#writer = writer;
    this.#mote = mote;
    this.#steps = steps;
  }

  get bytesWritten(): number {
    return this.#writer.bytesWritten;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes);
  }

  close(): Promise<MoteInfo> {
    this.#closing ??= commit(this.#mote, this.#steps, () => this.#writer.close());
    return this.#closing;
  }

  abort(): Promise<void> {
    return this.#writer.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abort();
  }
}

/** A `TierWriter` that can be resumed. */
export class ResumableTierWriter extends TierWriter implements ResumableWriter {
  readonly #writer: ResumableWriter;

  constructor(writer: ResumableWriter, mote: Mote, steps: CommitSteps) {
    super(writer, mote, steps);
    this.#writer = writer;
  }

  get offset(): number {
    return this.#writer.offset;
  }

  suspend(): Promise<void> {
    return this.#writer.suspend();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}

/** A `ResumableTierWriter` that accepts bytes in any order. */
export class RangedTierWriter extends ResumableTierWriter implements RangedWriter {
  readonly #writer: RangedWriter;

  constructor(writer: RangedWriter, mote: Mote, steps: CommitSteps) {
    super(writer, mote, steps);
    this.#writer = writer;
  }

  get stored(): readonly ByteRange[] {
    return this.#writer.stored;
  }

  writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#writer.writeAt(bytes, offset);
  }
}

/** Runs a commit with its steps. */
export async function commit<Result>(mote: Mote, steps: CommitSteps, run: () => Promise<Result>): Promise<Result> {
  await steps.before(mote);
  let result: Result;
  try {
    result = await run();
  } catch (error) {
    await steps.failed(mote);
    throw error;
  }
  await steps.after(mote);
  return result;
}

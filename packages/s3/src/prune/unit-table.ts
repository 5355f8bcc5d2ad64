import { type Digest, digestEncoded } from "@mote/core";

const firstCapacity = 1024;

/**
 * Maps digests to the number of the unit that they belong to, with 12 bytes for each digest. It stores only 64 bits of a digest: another
 * digest with the same bits would seem to belong to the unit.
 */
export class UnitTable {
  #keys = new Uint32Array(2 * firstCapacity);
  /** 0 for an empty slot. */
  #units = new Uint32Array(firstCapacity);
  #size = 0;

  /** Adds a digest, unless it is there. @param unit at least 0 */
  add(digest: Digest, unit: number): void {
    if (this.#size * 2 >= this.#units.length) this.#grow();
    const [high, low] = bitsOf(digest);
    const slot = this.#slotOf(high, low);
    if (this.#units[slot] !== 0) return;
    this.#size++;
    this.#set(slot, high, low, unit + 1);
  }

  /** Returns the unit of a digest; undefined if it is not in the table. */
  get(digest: Digest): number | undefined {
    const unit = this.#units[this.#slotOf(...bitsOf(digest))] ?? 0;
    return unit === 0 ? undefined : unit - 1;
  }

  #slotOf(high: number, low: number): number {
    const mask = this.#units.length - 1;
    let slot = (high ^ low) & mask;
    while (this.#units[slot] !== 0 && (this.#keys[2 * slot] !== high || this.#keys[2 * slot + 1] !== low))
      slot = (slot + 1) & mask;
    return slot;
  }

  #set(slot: number, high: number, low: number, value: number): void {
    this.#keys[2 * slot] = high;
    this.#keys[2 * slot + 1] = low;
    this.#units[slot] = value;
  }

  #grow(): void {
    const [keys, units] = [this.#keys, this.#units];
    this.#keys = new Uint32Array(2 * keys.length);
    this.#units = new Uint32Array(2 * units.length);
    for (const [at, value] of units.entries()) {
      const [high = 0, low = 0] = keys.subarray(2 * at, 2 * at + 2);
      if (value !== 0) this.#set(this.#slotOf(high, low), high, low, value);
    }
  }
}

function bitsOf(digest: Digest): [high: number, low: number] {
  const hex = digestEncoded(digest);
  return [Number.parseInt(hex.slice(0, 8), 16), Number.parseInt(hex.slice(8, 16), 16)];
}

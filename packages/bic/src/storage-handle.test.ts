import { MoteError, silentLogger } from "@mote/core";
import { describe, expect, it, vi } from "vitest";
import { MemoryStorage } from "./memory-storage.js";
import { StorageHandle } from "./storage-handle.js";

class ClosableStorage extends MemoryStorage {
  readonly idleMs = 100;
  isClosed = false;
  override async close(): Promise<void> {
    this.isClosed = true;
  }
}

async function withTimers(test: (storages: ClosableStorage[], handle: StorageHandle) => Promise<void>): Promise<void> {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const storages: ClosableStorage[] = [];
  const open = async () => {
    const storage = new ClosableStorage();
    storages.push(storage);
    return storage;
  };
  try {
    await test(storages, new StorageHandle(open, silentLogger));
  } finally {
    vi.useRealTimers();
  }
}

describe("StorageHandle", () => {
  it("closes an idle storage, and opens another one at the next use", () =>
    withTimers(async (storages, handle) => {
      await handle.open();
      vi.advanceTimersByTime(100);
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([false]);
      vi.advanceTimersByTime(100);
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([true]);
      expect((await handle.use((storage) => storage.counts())).pairs).toBe(0);
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([true, false]);
      await handle.close();
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    }));

  it("keeps a storage open while it is used or kept open", () =>
    withTimers(async (storages, handle) => {
      await handle.open();
      for (let i = 0; i < 5; i++) {
        vi.advanceTimersByTime(100);
        await handle.use(() => undefined);
      }
      const release = handle.keepOpen();
      vi.advanceTimersByTime(1000);
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([false]);
      release();
      vi.advanceTimersByTime(200);
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([true]);
    }));

  it("replaces a damaged storage, and closes the new one when it is idle", () =>
    withTimers(async (storages, handle) => {
      let tries = 0;
      const result = handle.use(() => {
        if (++tries === 1) throw new MoteError("MOTE_CORRUPT", "damaged");
        return "done";
      });
      // The first use opens the storage, the second finds the damage.
      expect(await result).toBe("done");
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([true, false]);
      vi.advanceTimersByTime(200);
      expect(storages.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    }));
});

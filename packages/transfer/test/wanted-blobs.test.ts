import type { Descriptor } from "@mote/core";
import { expect, it } from "vitest";
import { type TransferEvent, transfer } from "../src/index.js";
import { MemoryCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { addImage } from "./memory-images.js";

it("moves only the blobs that the destination wants, and counts only those, once the manifests were accepted", async () => {
  const source = new MemorySource();
  const image = addImage(source, "1", [100, 200, 300]);
  const [first] = image.layers;
  let isAccepted = false;
  class PartialDestination extends MemoryDestination {
    wants({ digest }: Descriptor): boolean {
      expect(isAccepted).toBe(true);
      return digest === first?.digest;
    }
  }
  const destination = new PartialDestination();
  const events: TransferEvent[] = [];
  const report = await transfer({
    ...{ source, destination, cache: new MemoryCache(), refs: ["1"] },
    onEvent: (event) => events.push(event),
    verify: async () => {
      isAccepted = true;
    },
  });
  expect([...destination.contents.keys()].sort()).toEqual([first?.digest, image.root.digest].sort());
  expect(report.skipped).toEqual({ count: 0, bytes: 0 });
  expect(events.find(({ type }) => type === "plan")).toMatchObject({ blobs: 1, bytes: first?.size });
});

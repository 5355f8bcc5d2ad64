import { MemoryTagStore } from "@mote/core";
import { describe, expect, it } from "vitest";
import { tagStoreSuite } from "../src/index.js";

tagStoreSuite({ describe, it, expect }, () => new MemoryTagStore());

import { moteCacheSuite } from "@mote/conformance";
import { describe, expect, it } from "vitest";
import { MemoryCache } from "../memory-cache.js";

moteCacheSuite({ describe, it, expect }, () => new MemoryCache());

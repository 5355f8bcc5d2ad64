import { NilCache } from "@mote/core";
import { describe, expect, it } from "vitest";
import { moteCacheSuite } from "../src/index.js";

moteCacheSuite({ describe, it, expect }, () => new NilCache(), { stores: false });

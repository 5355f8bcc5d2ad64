import files from "node:fs";
import { processIdentities } from "@mote/core";

export const { ownIdentity, livenessOf } = processIdentities({ files, process });

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";

/** The man page is made by the command itself: it has the table that everything else is made from. */
const page = execFileSync(process.execPath, ["dist/main.js", "__man"]);
mkdirSync("man", { recursive: true });
writeFileSync("man/mote.1", page);

// And from CommonJS, whose `require` takes ES modules in every Node that mote runs on.
const assert = require("node:assert/strict");
const { digestBytes, isDigest } = require("@mote/core");
const { parseRef } = require("@mote/ref");

assert.ok(isDigest(digestBytes(new Uint8Array())));
assert.equal(parseRef("alpine:3").tag, "3");
console.log("CommonJS: works");

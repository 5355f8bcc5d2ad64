// Adds up vitest's reports, one for each version of Node: `node .ci/sum-reports.mjs FOLDER FAILED_CHECKS`. The exit code is that of the run.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const [folder = ".", failedChecks = "0"] = process.argv.slice(2);
const sum = { passed: 0, failed: Number(failedChecks) };
for (const name of readdirSync(folder).sort()) {
  const report = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const { numPassedTests, numFailedTests, numPendingTests, success } = report;
  // A file that cannot be loaded has no tests that could fail.
  const failed = success ? 0 : Math.max(numFailedTests, 1);
  const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped (their titles say why)` : "";
  console.log(`Node ${basename(name, ".json")}: ${numPassedTests} passed, ${failed} failed${skipped}`);
  sum.passed += numPassedTests;
  sum.failed += failed;
}
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;

// Adds up vitest's reports, one for each version of Node: `node .ci/sum-reports.mjs FOLDER FAILED_CHECKS`. The exit code is that of the run.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

const [folder = ".", failedChecks = "0"] = process.argv.slice(2);
const sum = { passed: 0, failed: Number(failedChecks) };
for (const name of readdirSync(folder).sort()) {
  const report = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const { numPassedTests, numFailedTests, numPendingTests, success } = report;
  // A file that cannot be loaded has no tests that could fail.
  const failed = success ? 0 : Math.max(numFailedTests, 1);
  const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped (their titles say why)` : "";
  console.log(`Node ${basename(name, ".json")}: ${numPassedTests} passed, ${failed} failed${skipped}`);
  for (const file of report.testResults) describeFailures(file);
  sum.passed += numPassedTests;
  sum.failed += failed;
}

/** Prints what failed in a file, so that the end of a long log says it. */
function describeFailures({ name, message, assertionResults }) {
  const file = relative(process.cwd(), name);
  if (assertionResults.length === 0 && message) console.log(`  FAILED ${file}\n    ${excerpt(message)}`);
  for (const { status, fullName, failureMessages } of assertionResults)
    if (status === "failed") console.log(`  FAILED ${file}: ${fullName}\n    ${excerpt(failureMessages.join("\n"))}`);
}

function excerpt(text) {
  return stripVTControlCharacters(text).slice(0, 2_000).replaceAll("\n", "\n    ");
}

console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;

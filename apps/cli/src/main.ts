const args = process.argv.slice(2);

// Answered before anything else is read.
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) process.stdout.write(`${MOTE_VERSION}\n`);
else await (await import("./start.js")).start(args);

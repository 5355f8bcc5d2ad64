import shared from "../../tsup.config.js";

export default { ...shared, entry: ["src/main.ts", "src/process-task.ts"] };

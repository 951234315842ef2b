// Tries to claim run directories at given moments: a process of its own, told by messages.
import { lockRun } from "../../dist/src/store/run/run-lock.js";

let held = null;
process.on("message", async (message) => {
  if (message === "release") {
    await held?.release();
    held = null;
    process.send("released");
    return;
  }
  // Awake and at the same moment as the others.
  while (Date.now() < message.at);
  try {
    held = await lockRun(message.directory);
    process.send("held");
  } catch (error) {
    process.send(error.message);
  }
});
process.send("ready");

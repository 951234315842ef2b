/**
 * A process that makes jumps: `fork`ed with structured cloning, it takes {@link JumpRequest}s, answers each with
 * a {@link JumpReply}, and ends when its parent lets go of it or is gone.
 */
import { selectBackend } from "../backend/select-backend.js";
import { encodeError } from "../base/errors.js";
import type { JumpReply, JumpRequest } from "./jump-processes.js";
import type { JumpOrigin } from "./jump-provenance.js";
import { createJumpTrainer, type JumpTrainer } from "./jump-trainer.js";

let trainer: JumpTrainer | null = null;
let origin: JumpOrigin | null = null;

async function answer(request: JumpRequest): Promise<JumpReply> {
  if (request.type === "start") {
    await selectBackend({ backend: request.backend });
    trainer = await createJumpTrainer(request.source, null);
    origin = request.origin;
    return { type: "ready" };
  }
  if (trainer === null || origin === null) throw new Error("jump worker: expected a start first, got a jump");
  return { type: "done", ...(await trainer.train(request.jump, origin)) };
}

process.on("message", (request: JumpRequest) => {
  answer(request)
    .catch((error: unknown): JumpReply => ({ type: "failed", error: encodeError(error) }))
    .then((reply) => process.send?.(reply))
    .catch(() => process.exit(1));
});
// Without a parent nobody asks for the rest; what is half done is made anew by the next call.
process.on("disconnect", () => process.exit(0));

import { type BackendChoice, type BackendInfo, describeBackend } from "../backend/backend-info.js";
import { selectBackend } from "../backend/select-backend.js";
import type { Output } from "./output.js";

/** Chooses the TensorFlow.js backend and says on stderr which and why. */
export async function startBackend(choice: BackendChoice | undefined, output: Output): Promise<BackendInfo> {
  const info = await selectBackend(choice === undefined ? {} : { backend: choice });
  output.note(`backend ${describeBackend(info)}`);
  output.warn(info.warnings);
  return info;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Reads a golden file from `GOLDEN_DIR`, by default the copies in test/golden. */
export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(join(process.env.GOLDEN_DIR ?? "test/golden", name), "utf8")) as T;
}

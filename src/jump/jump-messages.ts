import type { BackendChoice } from "../backend/backend-info.js";
import type { SnapshotInfo } from "../store/run.js";
import type { LandscapeWarning } from "../warning.js";
import type { WireError } from "../wire-error.js";
import type { JumpOrigin } from "./jump-provenance.js";
import type { Jump } from "./jump-run.js";
import type { JumpSource } from "./jump-source.js";

/** What a worker process is told: once what to work with, then one jump after another. */
export type JumpRequest =
  | {
      readonly type: "start";
      readonly backend: BackendChoice;
      readonly source: JumpSource;
      readonly origin: JumpOrigin;
    }
  | { readonly type: "jump"; readonly jump: Jump };

/** What it answers. */
export type JumpReply =
  | { readonly type: "ready" }
  | {
      readonly type: "done";
      readonly states: readonly SnapshotInfo[];
      readonly warnings: readonly LandscapeWarning[];
    }
  | { readonly type: "failed"; readonly error: WireError };

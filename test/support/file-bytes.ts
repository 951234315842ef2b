// What encoders give in parts, in one piece.
import { encodeArrowFile, joinParts } from "../../src/store/arrow/arrow-data.js";
import { encodeArtifact } from "../../src/store/results/artifact.js";
import { encodeSnapshot } from "../../src/store/run/encode-snapshot.js";

export function arrowBytes(...args: Parameters<typeof encodeArrowFile>): Uint8Array {
  return joinParts(encodeArrowFile(...args));
}

export function artifactBytes(...args: Parameters<typeof encodeArtifact>): Uint8Array {
  return joinParts(encodeArtifact(...args));
}

export function snapshotBytes(...args: Parameters<typeof encodeSnapshot>): Uint8Array {
  return joinParts(encodeSnapshot(...args));
}

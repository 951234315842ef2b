import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";
import type { ParameterLayout } from "../params/layout.js";
import type { RunDescription, RunManifest } from "../store/manifest.js";
import type { Provenance } from "../store/provenance.js";
import { ownPackageVersion } from "./package-version.js";
import type { TrainingFacts } from "./training-facts.js";

/** What a manifest is made of, beside the versions of packages and the backend in use. */
export interface ManifestParts extends Pick<RunManifest, "name" | "dtype" | "seed"> {
  readonly layout: ParameterLayout;
  readonly facts: TrainingFacts;
  /** What the run is made from. Default none. */
  readonly provenance?: Provenance | undefined;
}

/**
 * Returns the contents of run.json for a training that begins now on the backend in use.
 *
 * @throws {@link BackendError} if the backend is still starting.
 */
export function buildManifest({
  name,
  layout,
  dtype,
  seed,
  facts,
  provenance,
}: ManifestParts): RunDescription {
  const backend = currentBackend();
  const { model, optimizer, loss, metrics, fit } = facts;
  return {
    name,
    createdAt: new Date().toISOString(),
    packages: {
      "tfjs-landscape": ownPackageVersion(),
      "@tensorflow/tfjs": tf.version.tfjs,
      [backend.package]: backend.version,
      node: process.versions.node,
    },
    model,
    layout,
    dtype,
    optimizer,
    loss,
    metrics,
    fit,
    backend: { name: backend.name, package: backend.package, reason: backend.reason },
    seed,
    ...(provenance === undefined ? {} : { provenance }),
  };
}

import { z } from "zod";

/** What is needed to draw a stored surface again and is no part of its identity. */
export const planeFactsSchema = z.object({
  /** Kind of the plane: "pca", "random", … */
  plane: z.string(),
  /** Name of the evaluation set. */
  set: z.string(),
  labels: z.array(z.string()),
  marks: z.array(z.object({ alpha: z.number(), beta: z.number(), label: z.string() })),
  /** The policy of batch norm; "none" where the network has no statistics. */
  batchNorm: z.string(),
  /** Samples that "recalibrate" used; null under another policy. */
  calibrationSamples: z.number().nullable(),
  dataName: z.string().nullable(),
  lossName: z.string().nullable(),
  /** sha-256 of the weights of the models that it goes through. */
  models: z.array(z.string()),
  /** File of the directions beside `surfaces/`; null where they are none (bilinear). */
  directions: z.string().nullable(),
  /** The paths on it. */
  paths: z.array(
    z.object({
      name: z.string(),
      /** Digest of the run, or of the part of it. */
      run: z.string(),
      /** Steps of the snapshots where they are not all of the run. */
      steps: z.array(z.int()).nullable(),
      /** File of coordinates and losses of the training set, beside `surfaces/`. */
      fidelity: z.string(),
    }),
  ),
  /** Sentences for the caption. */
  notes: z.array(z.string()),
});

/** What is needed to draw a stored surface again and is no part of its identity. */
export type PlaneFacts = Readonly<z.infer<typeof planeFactsSchema>>;

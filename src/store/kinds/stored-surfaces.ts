import { stat } from "node:fs/promises";
import { join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { z } from "zod";
import type { Provenance } from "../../base/provenance.js";
import { namesInFolder, readable } from "../arrow/regular-file.js";
import { readArtifactFacts } from "../results/artifact.js";
import { compareOrder, orderOf, type ResultOrder } from "../results/result-order.js";
import { interruptedIn } from "../results/tile-journal.js";
import {
  type PlaneFacts,
  planeFactsSchema,
  resultName,
  type SurfaceKey,
  surfaceKeyOf,
} from "./surface-key.js";
import { translateSurface } from "./version-1.js";

/** A surface that is stored in a folder, without its values. */
export interface StoredSurface {
  readonly file: string;
  /** What commands call it: "pca-train-1a2b3c4d". */
  readonly name: string;
  /** Folder that holds `surfaces/`. */
  readonly directory: string;
  /** When it was stored, or asked for last, among the results of its folder. */
  readonly order: ResultOrder;
  readonly bytes: number;
  readonly provenance: Provenance;
  /** What it is known by; null where a file of version 1 does not tell. */
  readonly key: SurfaceKey | null;
  /** What is needed to draw it. */
  readonly facts: PlaneFacts;
  /** 1: written by a version before surfaces were named by what they are. */
  readonly version: 1 | 2;
  /** Why it is not complete; null where it is. */
  readonly partial: string | null;
  /** Points along the first and second axis. */
  readonly size: readonly [number, number];
}

const detailsSchema = z.object({
  width: z.int(),
  height: z.int(),
  partial: z.string().optional(),
  plane: planeFactsSchema.optional(),
});

/**
 * Lists the surfaces that are stored in a folder, the oldest first. Files that are no surfaces are left out.
 *
 * @throws {@link FormatError} if a file is damaged.
 */
export async function listSurfaces(directory: string): Promise<StoredSurface[]> {
  const folder = join(directory, "surfaces");
  const found: StoredSurface[] = [];
  for (const name of (await namesInFolder(folder)).sort()) {
    if (!/^[^.].*\.arrow$/.test(name)) continue;
    const surface = await describe(directory, join(folder, name));
    if (surface !== null) found.push(surface);
  }
  return found.sort((a, b) => compareOrder(a.order, b.order));
}

async function describe(directory: string, file: string): Promise<StoredSurface | null> {
  const artifact = await readArtifactFacts(file);
  const details = detailsSchema.safeParse(artifact?.details);
  if (artifact === null || !details.success) return null;
  const { provenance } = artifact;
  const { plane, partial = null, width, height } = details.data;
  const { size: bytes } = await readable(file, () => stat(file));
  const order = await orderOf(file, provenance);
  const common = { file, name: resultName(file), directory, order, bytes, provenance, partial };
  const size = [width, height] as const;
  if (plane !== undefined) {
    return { ...common, size, key: surfaceKeyOf(provenance), facts: plane, version: 2 };
  }
  return { ...common, size, ...(await translateSurface(directory, common.name, provenance)), version: 1 };
}

/** Files of surfaces that were interrupted: where the surfaces themselves would be. */
export async function interruptedSurfaces(directory: string): Promise<string[]> {
  const folder = join(directory, "surfaces");
  return (await interruptedIn(folder)).map((name) => join(folder, name));
}

/** Whether two surfaces lie on the same slice and grid. */
export function isBeside(a: StoredSurface, b: StoredSurface): boolean {
  if (a.key === null || b.key === null) return false;
  const place = ({ key }: StoredSurface) => [
    key?.points.slice,
    key?.points.batchNorm.policy,
    key?.alpha,
    key?.beta,
  ];
  return a.facts.plane === b.facts.plane && isEqual(place(a), place(b));
}

import { InvalidDataError } from "../../base/errors.js";
import type { EmbeddingTopology, RunsEmbedding } from "../../embedding/runs-embedding.js";
import { counted, formatNumber } from "../draw/format-number.js";
import { finiteRange } from "../draw/scales.js";
import type { CurvesAxis, CurvesPanel, Figure, Series } from "../figure.js";
import { chartOf, linearAxis, panelOf, seriesOf } from "./chart-parts.js";

/** Bars of the histogram of permutations. */
const BARS = 24;

/**
 * Returns persistence diagram, Betti curves and permutation null of an embedding with topology.
 *
 * @throws {@link InvalidDataError} if the embedding has none.
 * @see Horoi et al. 2022, section 4.
 * @example const figure = createTopologyFigure(await embedRuns(runs, { method: "phate", topology: true }));
 */
export function createTopologyFigure(embedding: RunsEmbedding, title = "Topology of the loss"): Figure {
  const { topology } = embedding;
  if (topology === null) {
    throw new InvalidDataError("embedding", "topology (topology: true)", "an embedding without");
  }
  const panels = [diagramPanel(topology, embedding.lossName), bettiPanel(topology, embedding.lossName)];
  const nullChart = nullPanel(topology);
  return chartOf(title, nullChart === null ? panels : [...panels, nullChart], {
    columns: 3,
    caption: captionOf(embedding, topology),
    provenance: `graph of ${topology.neighbours} nearest neighbours in diffusion potential · ${counted(topology.vertexCount, "snapshot")} · ${counted(topology.edgeCount, "edge")} · triangles fill cycles`,
    notes: embedding.warnings.map(({ message }) => message),
  });
}

function captionOf({ lossName, run }: RunsEmbedding, topology: EmbeddingTopology): string[] {
  const { pairs, vertexCount } = topology;
  const count = (dimension: 0 | 1): number => pairs.filter((pair) => pair.dimension === dimension).length;
  const { observed, pLower, pUpper, permuted } = topology.null;
  const left = run.length - vertexCount;
  const verdict =
    pLower <= 0.05
      ? "smoother than chance"
      : pUpper <= 0.05
        ? "rougher than chance"
        : "no different from chance";
  return [
    `Sublevel sets of the ${lossName} on the neighbour graph: as the level rises, basins appear at their minima and merge at saddles (dimension 0), cycles appear and are filled (dimension 1).`,
    `${counted(count(0), "basin")} and ${counted(count(1), "cycle")}; far above the diagonal is deep.`,
    left > 0
      ? `${counted(left, "snapshot")} without a finite loss ${left === 1 ? "is" : "are"} left out.`
      : "",
    `Total persistence of basins ${formatNumber(observed, 3)}; with the same losses at random vertices (${permuted.length} times) it is as small in a share of ${formatNumber(pLower, 2)} and as large in ${formatNumber(pUpper, 2)}: ${verdict}.`,
  ];
}

function lossAxis(name: string, values: ArrayLike<number>): CurvesAxis {
  const range = finiteRange(values);
  const isLog = range !== null && range[0] > 0 && range[1] >= 10 * range[0];
  return { title: name, scale: isLog ? "log" : "linear" };
}

function diagramPanel({ pairs, levels }: EmbeddingTopology, lossName: string): CurvesPanel {
  const [bottom, top] = [levels[0], levels[levels.length - 1]] as [number, number];
  const points = (name: string, color: number, chosen: EmbeddingTopology["pairs"]): Series[] => {
    const births = chosen.map(({ birth }) => birth);
    const deaths = chosen.map(({ death }) => (Number.isFinite(death) ? death : top));
    return chosen.length === 0 ? [] : [seriesOf(name, color, births, deaths, { shape: "points" })];
  };
  const dies = (dimension: 0 | 1) =>
    pairs.filter((pair) => pair.dimension === dimension && Number.isFinite(pair.death));
  const axis = lossAxis("appears at", [bottom, top]);
  /** The level at a share of the way from the bottom to the top. */
  const at = (share: number): number =>
    axis.scale === "log" ? bottom * (top / bottom) ** share : bottom + share * (top - bottom);
  const range = { ...axis, min: at(-0.04), max: at(1.04) };
  // The diagonal reaches beyond the pairs, so that none lies on the frame.
  const diagonal = Array.from({ length: 41 }, (_, i) => at(-0.04 + (1.08 * i) / 40));
  const left = { ...range, title: `disappears at (${lossName})` };
  return panelOf("Persistence diagram", range, left, [
    seriesOf("birth = death", 3, diagonal, diagonal, { isDashed: true }),
    ...points("cycles", 1, dies(1)),
    ...points("basins", 0, dies(0)),
    ...points(
      "never disappears (drawn at the top)",
      2,
      pairs.filter(({ death }) => !Number.isFinite(death)),
    ),
  ]);
}

function bettiPanel({ levels, betti0, betti1 }: EmbeddingTopology, lossName: string): CurvesPanel {
  return panelOf("Betti curves", lossAxis(lossName, levels), linearAxis("alive at this level", 0), [
    seriesOf("cycles", 1, levels, betti1),
    seriesOf("basins", 0, levels, betti0),
  ]);
}

/** Histogram of the permutations with the observed value; null if all are the same. */
function nullPanel({ null: { observed, permuted } }: EmbeddingTopology): CurvesPanel | null {
  const range = finiteRange([...permuted, observed]);
  if (range === null || range[0] === range[1]) return null;
  const [low, high] = range;
  const width = (high - low) / BARS;
  const counts = new Float64Array(BARS);
  for (const value of permuted) {
    const bar = Math.min(BARS - 1, Math.floor((value - low) / width));
    counts[bar] = (counts[bar] as number) + 1;
  }
  const x = Array.from(counts, (_, i) => [low + i * width, low + (i + 1) * width]).flat();
  const y = Array.from(counts, (count) => [count, count]).flat();
  return panelOf(
    "Against chance",
    "total persistence of basins",
    linearAxis("permutations", 0),
    [seriesOf("losses at random vertices", 4, x, y, { shape: "area" })],
    [{ x: observed, label: "observed", tone: "drop" }],
  );
}

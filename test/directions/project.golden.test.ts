import { describe, it } from "vitest";
import { memoryRowSource } from "../../src/directions/directions.js";
import { projectTrajectory } from "../../src/directions/project.js";
import { expectAllClose } from "../support/allclose.js";
import { readGolden } from "../support/golden.js";

interface Golden {
  readonly T: number[][];
  readonly final_row: number;
  readonly reference_functions: Record<
    string,
    { xdirection: number[]; ydirection: number[]; projection: { lstsq: { x: number[]; y: number[] } } }
  >;
  readonly project_onto_nonorthogonal: { dx: number[]; dy: number[]; lstsq: number[][] };
}

const golden = readGolden<Golden>("a_pca.json");
const rows = golden.T.map((row) => Float32Array.from(row));
const source = memoryRowSource(rows);
const center = rows[golden.final_row];
// The reference solves in float32: its own rounding is part of the tolerance.
const tolerance = { absolute: 2e-6, relative: 2e-6 };

describe("projectTrajectory against the reference's least squares", () => {
  it.each(["ignore=''", "ignore='biasbn'"])("on its principal components, %s", async (name) => {
    const { xdirection, ydirection, projection } = golden.reference_functions[name];
    const vectors = [Float32Array.from(xdirection), Float32Array.from(ydirection)];
    const { coordinates } = await projectTrajectory(source, { center, vectors });
    expectAllClose(
      coordinates,
      projection.lstsq.x.flatMap((x, i) => [x, projection.lstsq.y[i]]),
      tolerance,
    );
  });

  it("on directions that are neither orthogonal nor unit vectors", async () => {
    const { dx, dy, lstsq } = golden.project_onto_nonorthogonal;
    const vectors = [Float32Array.from(dx), Float32Array.from(dy)];
    const { coordinates } = await projectTrajectory(source, { center, vectors });
    expectAllClose(coordinates, lstsq.flat(), tolerance);
  });
});

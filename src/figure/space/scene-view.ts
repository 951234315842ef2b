import type { SceneView } from "../draw/figure-frame.js";

/** A place in the box: alpha to the right, beta to the back, height up; the box's centre is 0. */
export type ScenePoint = readonly [x: number, y: number, z: number];

/** Sides of the box. */
export interface SceneBox {
  readonly width: number;
  readonly depth: number;
  readonly height: number;
}

/** Parallel projection of the box onto the picture. */
export interface Projection {
  readonly view: SceneView;
  /** Px for each unit of the box. */
  readonly scale: number;
  /** Place in px. */
  toScreen(point: ScenePoint): readonly [x: number, y: number];
  /** How near something on the ground is: it may hide what has less. */
  nearness(x: number, y: number): number;
}

/** A view that shows the valley and both walls. */
export const DEFAULT_VIEW: SceneView = { elevation: 44, azimuth: 32 };

/** Elevations that keep the surface's upper side in sight. */
export const ELEVATIONS = [5, 90] as const;

/** Returns a view turned by some degrees, held above the ground, azimuth in (−180, 180]. */
export function turnView(view: SceneView, azimuth: number, elevation: number): SceneView {
  const turned = (((view.azimuth + azimuth + 180) % 360) + 360) % 360;
  return {
    azimuth: turned === 0 ? 180 : turned - 180,
    elevation: Math.min(ELEVATIONS[1], Math.max(ELEVATIONS[0], view.elevation + elevation)),
  };
}

/** Returns the parallel projection with the box's centre at (`x`, `y`) px. */
export function createProjection(
  view: SceneView,
  scale: number,
  [x, y]: readonly [number, number],
): Projection {
  const [a, b] = [(view.elevation * Math.PI) / 180, (view.azimuth * Math.PI) / 180];
  const [sinA, cosA, sinB, cosB] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b)];
  return {
    view,
    scale,
    toScreen: ([px, py, pz]) => [
      x + scale * (px * cosB + py * sinB),
      y - scale * (pz * cosA + sinA * (py * cosB - px * sinB)),
    ],
    nearness: (px, py) => px * sinB - py * cosB,
  };
}

/** Half the width and half the height, in units of the box, that the box takes from a view. */
export function extentOf({ width, depth, height }: SceneBox, view: SceneView): readonly [number, number] {
  const { toScreen } = createProjection(view, 1, [0, 0]);
  const corners = [-1, 1].flatMap((i) => [-1, 1].flatMap((j) => [-1, 1].map((k) => [i, j, k] as const)));
  const places = corners.map(([i, j, k]) => toScreen([(i * width) / 2, (j * depth) / 2, (k * height) / 2]));
  return [Math.max(...places.map(([px]) => px)), Math.max(...places.map(([, py]) => py))];
}

/** Direction of the light in the box: from the left, the front and above. */
const LIGHT = [-0.42, -0.38, 0.82] as const;

/** Brightness of a cell by its slope: 1 where it faces the light. */
export function lightOf(dzdx: number, dzdy: number): number {
  const facing = (-dzdx * LIGHT[0] - dzdy * LIGHT[1] + LIGHT[2]) / Math.hypot(dzdx, dzdy, 1);
  return 0.66 + 0.34 * Math.max(0, facing);
}

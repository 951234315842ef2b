import type { Projection } from "./scene-view.js";
import type { SurfaceScene } from "./surface-scene.js";

/** Steps through the box along the line of sight. */
const STEPS = 400;

/**
 * Returns where on the ground the surface is first met behind a place of the picture, as shares of its
 * width and depth in [0, 1]; null where there is only background.
 */
export function pickSurface(
  { box, x, y, z }: SurfaceScene,
  { view, scale, toScreen }: Projection,
  [px, py]: readonly [number, number],
): { readonly right: number; readonly back: number } | null {
  const [a, b] = [(view.elevation * Math.PI) / 180, (view.azimuth * Math.PI) / 180];
  const [sinA, cosA, sinB, cosB] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b)];
  const [cx, cy] = toScreen([0, 0, 0]);
  const [u, v] = [(px - cx) / scale, (cy - py) / scale];
  // The point of the sight line in the plane through the box's centre, and the direction to the viewer.
  const base = [u * cosB - v * sinA * sinB, u * sinB + v * sinA * cosB, v * cosA] as const;
  const toward = [cosA * sinB, -cosA * cosB, sinA] as const;
  const reach = Math.hypot(box.width, box.depth, box.height) / 2;
  let wasAbove = false;
  for (let k = 0; k <= STEPS; k++) {
    const t = reach * (1 - (2 * k) / STEPS);
    const right = (base[0] + t * toward[0]) / box.width + 0.5;
    const back = (base[1] + t * toward[1]) / box.depth + 0.5;
    if (right < 0 || right > 1 || back < 0 || back > 1) {
      wasAbove = false;
      continue;
    }
    const i = Math.round(right * (x.length - 1));
    const j = Math.round(back * (y.length - 1));
    const height = z[j * x.length + i] as number;
    const isAbove = base[2] + t * toward[2] >= height;
    if (wasAbove && !isAbove) return { right, back };
    wasAbove = isAbove;
  }
  return null;
}

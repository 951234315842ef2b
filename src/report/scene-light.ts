/** Direction of the light in the box: from the left, the front and above. */
const LIGHT = [-0.42, -0.38, 0.82] as const;

/** Brightness of a cell by its slope: 1 where it faces the light. */
export function lightOf(dzdx: number, dzdy: number): number {
  const facing = (-dzdx * LIGHT[0] - dzdy * LIGHT[1] + LIGHT[2]) / Math.hypot(dzdx, dzdy, 1);
  return 0.66 + 0.34 * Math.max(0, facing);
}

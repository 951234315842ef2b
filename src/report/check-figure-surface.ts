import { InvalidDataError } from "../errors.js";
import type { Surface } from "../surface/surface.js";

/**
 * Checks that a surface can be drawn as a map.
 *
 * @throws {@link InvalidDataError} if it is a line, its axes do not increase, or its values do not fit them.
 */
export function checkSurface(surface: Surface): void {
  const [width, height] = [surface.alpha.length, surface.beta.length];
  if (width < 2 || height < 2) {
    throw new InvalidDataError("surface", "a grid of at least 2 × 2 points", `${width} × ${height}`);
  }
  if (surface.loss.length !== width * height) {
    throw new InvalidDataError("surface.loss", `${width * height} values`, String(surface.loss.length));
  }
  for (const name of ["alpha", "beta"] as const) {
    const axis = surface[name];
    if (
      !axis.every(
        (value, index) => Number.isFinite(value) && (index === 0 || value > (axis[index - 1] as number)),
      )
    ) {
      throw new InvalidDataError(
        `surface.${name}`,
        "finite, increasing coordinates",
        Array.from(axis).join(", "),
      );
    }
  }
}

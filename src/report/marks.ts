import type { Theme } from "./palette.js";

/** A drawing primitive that ECharts' custom series and graphic components both take. */
export interface Shape {
  readonly type: "circle" | "rect" | "polygon" | "polyline" | "line" | "path" | "text";
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly style: Readonly<Record<string, unknown>>;
  readonly x?: number;
  readonly y?: number;
  readonly rotation?: number;
  readonly silent: true;
  readonly z2?: number;
}

/** A white disc with a coloured rim: where a path starts. */
export function startMark(x: number, y: number, color: string, theme: Theme): Shape[] {
  return [disc(x, y, 7.5, theme.halo), ring(x, y, 5.2, "#ffffff", color, 2.4)];
}

/** A star with a white rim: where a path ends. */
export function endMark(x: number, y: number, color: string, theme: Theme): Shape[] {
  return [
    {
      type: "polygon",
      shape: { points: starPoints(x, y, 9.5, 4.1) },
      style: { fill: color, stroke: theme.halo, lineWidth: 1.6, lineJoin: "round" },
      silent: true,
    },
  ];
}

/** A snapshot. */
export function pointMark(x: number, y: number, radius: number, color: string, theme: Theme): Shape[] {
  return [disc(x, y, radius + 1.1, theme.halo), disc(x, y, radius, color)];
}

/** A snapshot at which the learning rate had dropped: red, larger, with a rim in the path's colour. */
export function dropMark(x: number, y: number, radius: number, rim: string, theme: Theme): Shape[] {
  return [disc(x, y, radius + 3.2, rim), ring(x, y, radius + 1, theme.drop, theme.halo, 1.2)];
}

/** A filled circle. */
export function disc(x: number, y: number, r: number, fill: string): Shape {
  return { type: "circle", shape: { cx: x, cy: y, r }, style: { fill }, silent: true };
}

function ring(x: number, y: number, r: number, fill: string, stroke: string, lineWidth: number): Shape {
  return { type: "circle", shape: { cx: x, cy: y, r }, style: { fill, stroke, lineWidth }, silent: true };
}

function starPoints(x: number, y: number, outer: number, inner: number): [number, number][] {
  return Array.from({ length: 10 }, (_, index) => {
    const radius = index % 2 === 0 ? outer : inner;
    const angle = -Math.PI / 2 + (index * Math.PI) / 5;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}

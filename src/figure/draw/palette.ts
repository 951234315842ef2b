import {
  interpolateCividis,
  interpolateGreys,
  interpolateInferno,
  interpolateMagma,
  interpolatePlasma,
  interpolateViridis,
} from "d3-scale-chromatic";

/** Light or dark surroundings of a picture. */
export type ThemeName = "light" | "dark";

/** Colours of everything but the surface. */
export interface Theme {
  readonly background: string;
  readonly text: string;
  /** Secondary text: captions, tick labels. */
  readonly muted: string;
  /** Axis lines and frames. */
  readonly line: string;
  /** Grid lines of the small panels. */
  readonly faint: string;
  /** Outline that lifts the path off the surface. */
  readonly halo: string;
  /** Thin line around that outline, which keeps it apart from light colours. */
  readonly rim: string;
  /** Cells without a finite loss, and the hatching over them. */
  readonly unknown: string;
  readonly hatch: string;
  /** Snapshots at which the learning rate had dropped. */
  readonly drop: string;
  /**
   * Colour of each run where several share a picture: the same hues in the same order in every theme, each with a
   * contrast of at least 3 : 1 to the background.
   */
  readonly runs: readonly string[];
}

const THEMES: Readonly<Record<ThemeName, Theme>> = {
  light: {
    background: "#ffffff",
    text: "#1a1a1a",
    muted: "#4d4d4d",
    line: "#6b6b6b",
    faint: "#e3e3e3",
    halo: "#ffffff",
    rim: "rgba(0,0,0,0.35)",
    unknown: "#d0d0d0",
    hatch: "#808080",
    drop: "#d00000",
    runs: ["#0072b2", "#d17b25", "#a8327f", "#000000", "#1b9e77", "#8d7be0", "#635200"],
  },
  dark: {
    background: "#16181d",
    text: "#f0f0f0",
    muted: "#b9bcc4",
    line: "#8b8f99",
    faint: "#2f333b",
    halo: "#101216",
    rim: "rgba(255,255,255,0.3)",
    unknown: "#4a4d55",
    hatch: "#9a9da6",
    drop: "#e00000",
    runs: ["#56b4e9", "#e69f00", "#e0609f", "#ffffff", "#1fa57c", "#c3b3ff", "#f0e442"],
  },
};

/** Returns the colours of a theme. */
export function themeOf(name: ThemeName): Theme {
  return THEMES[name];
}

/** Anchors of viridis, evenly spaced from low to high. */
const VIRIDIS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [72, 36, 117],
  [65, 68, 135],
  [53, 95, 141],
  [42, 120, 142],
  [33, 145, 140],
  [34, 168, 132],
  [68, 191, 112],
  [122, 209, 81],
  [189, 223, 38],
  [253, 231, 37],
];

/** Share of white mixed into the surface, so that path and marks stand out from it. */
const TINT = 0.3;

/**
 * Returns `count` colours of the surface from low to high loss, as "#rrggbb".
 *
 * Viridis is ordered in lightness, so that it reads in grey and with any colour vision.
 *
 * @param tint - share of white mixed in; default so much that path and marks stand out.
 */
export function surfaceColors(count: number, tint: number = TINT): string[] {
  return Array.from({ length: count }, (_, index) =>
    colorAt(VIRIDIS, count === 1 ? 0.5 : index / (count - 1), tint),
  );
}

/** Colour maps by the names under which users know them; each is even to the eye, and ordered in lightness. */
export const COLOR_MAPS = ["viridis", "cividis", "magma", "inferno", "plasma", "gray"] as const;

/** Name of a colour map. */
export type ColorMapName = (typeof COLOR_MAPS)[number];

const INTERPOLATORS: Readonly<Record<ColorMapName, (position: number) => string>> = {
  viridis: interpolateViridis,
  cividis: interpolateCividis,
  magma: interpolateMagma,
  inferno: interpolateInferno,
  plasma: interpolatePlasma,
  gray: (position) => interpolateGreys(1 - position),
};

/** Returns `count` colours of a map from low to high, as it is known, without the white of {@link surfaceColors}. */
export function mapColorsOf(name: ColorMapName, count: number): string[] {
  const color = INTERPOLATORS[name];
  return Array.from({ length: count }, (_, index) => asHex(color(count === 1 ? 0.5 : index / (count - 1))));
}

/** d3 writes some of its maps as "rgb(…)". */
function asHex(color: string): string {
  const channels = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(color)?.slice(1);
  if (channels === undefined) return color;
  return `#${channels.map((value) => Number(value).toString(16).padStart(2, "0")).join("")}`;
}

/** Returns the colour of a value on the scale from low (0) to high (1), as "#rrggbb": viridis as it is. */
export function valueColor(position: number): string {
  return colorAt(VIRIDIS, Math.min(1, Math.max(0, position)), 0);
}

/** Anchors from blue over white to red, distinct with any colour vision. */
const DIVERGING: readonly (readonly [number, number, number])[] = [
  [5, 48, 97],
  [67, 147, 195],
  [209, 229, 240],
  [247, 247, 247],
  [253, 219, 199],
  [214, 96, 77],
  [103, 0, 31],
];

/** Returns `count` colours of a difference, from below zero (blue) to above (red), as "#rrggbb". */
export function differenceColors(count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    colorAt(DIVERGING, count === 1 ? 0.5 : index / (count - 1), 0.1),
  );
}

type Anchor = readonly [number, number, number];

function colorAt(anchors: readonly Anchor[], position: number, tint: number): string {
  const scaled = position * (anchors.length - 1);
  const low = Math.min(Math.floor(scaled), anchors.length - 2);
  const a = anchors[low] as Anchor;
  const b = anchors[low + 1] as Anchor;
  const channels = a.map((value, channel) => {
    const mixed = value + (scaled - low) * ((b[channel] as number) - value);
    return Math.round(mixed + tint * (255 - mixed));
  });
  return `#${channels.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Dashes of the first, second and third round through the palette. */
const DASHES: readonly (readonly number[] | null)[] = [null, [7, 3], [2, 3]];

/** Returns how often a place in the palette of runs has gone through all colours: as many in every theme. */
export function roundOf(index: number): number {
  return Math.floor(index / THEMES.light.runs.length);
}

/** How the line of a run is drawn where there are more runs than colours: each round has its own dashes. */
export interface RunStroke {
  readonly color: string;
  readonly lineDash: readonly number[] | null;
}

/** Returns colour and dashes of a place in the palette of runs. */
export function runStroke(index: number, { runs }: Theme): RunStroke {
  return {
    color: runs[index % runs.length] as string,
    lineDash: DASHES[roundOf(index) % DASHES.length] ?? null,
  };
}

/** Returns the colour of a place in the palette of runs: blue first, then orange. */
export function runColor(index: number, theme: Theme): string {
  return runStroke(index, theme).color;
}

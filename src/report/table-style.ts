import { themeOf } from "./palette.js";

const light = themeOf("light").runs;
const dark = themeOf("dark").runs;

/** Number of colours of runs; later runs begin again. */
export const KEY_COLORS = light.length;

const keys = (colors: readonly string[], root: string): string =>
  colors.map((color, index) => `${root} .key-${index}{background:${color}}`).join("");

/** Style of the tables that are figures; the colours of runs are those of the charts. */
export const TABLE_STYLE = `
.table{max-height:none}
.values{width:100%;font-variant-numeric:tabular-nums}
.values th[scope=row]{font-weight:400;white-space:normal;min-width:9em}
.values th[scope=rowgroup]{text-align:left;padding-top:14px}
.values thead th{white-space:normal;vertical-align:bottom;border-bottom:1px solid var(--muted)}
.values .unit{color:var(--muted)}
.values sup{font-size:11px;line-height:1}
.values sup a,.definitions a{color:inherit}
.key{display:inline-block;width:10px;height:10px;margin-right:6px}
.definitions{margin:12px 0;padding-left:24px;color:var(--muted);font-size:13px}
.definitions li:target{background:var(--panel);color:var(--text)}
${keys(light, ":root")}
@media (prefers-color-scheme:dark){${keys(dark, ":root:not([data-theme=light])")}}
${keys(dark, ":root[data-theme=dark]")}
`;

import type { Panel } from "../figure.js";
import { curvesKind } from "./curves-panel.js";
import { mapKind } from "./map-panel.js";
import type { PanelKind } from "./panel-kind.js";
import { scatterKind } from "./scatter-panel.js";
import { tableKind } from "./table-panel.js";

/** Everything that can stand in a figure: a new kind is one more entry. */
const PANEL_KINDS: Readonly<Record<Panel["kind"], PanelKind>> = {
  map: mapKind,
  curves: curvesKind,
  scatter: scatterKind,
  table: tableKind,
};

/** Returns what is particular to the kind of a panel. */
export function kindOf({ kind }: Panel): PanelKind {
  return PANEL_KINDS[kind];
}

import type { ThemeName } from "../palette.js";

const listeners = new Set<() => void>();
const system = window.matchMedia("(prefers-color-scheme: dark)");

/** The colours that the page has now: the reader's choice on the page, else that of the system. */
export function currentTheme(): ThemeName {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** Calls `listener` whenever the colours change. */
export function onThemeChange(listener: () => void): void {
  listeners.add(listener);
}

/** Starts to follow the system, and gives the page's button for light and dark its work. */
export function startTheme(): void {
  const button = document.getElementById("theme");
  const update = (): void => {
    if (button !== null) button.textContent = currentTheme() === "dark" ? "Light colours" : "Dark colours";
    for (const listener of listeners) listener();
  };
  system.addEventListener("change", update);
  button?.addEventListener("click", () => {
    document.documentElement.dataset.theme = currentTheme() === "dark" ? "light" : "dark";
    update();
  });
  if (button !== null) button.hidden = false;
  update();
}

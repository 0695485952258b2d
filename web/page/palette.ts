// The style sheet's colours for what is drawn on a canvas, so that the legend shows the same; read
// anew when the browser goes from dark to light.
const names = [
  "ground",
  "floor",
  "grid",
  "edge",
  "own",
  "player",
  "bot",
  "fragment",
  "signal",
  "text",
] as const;

export type Palette = Readonly<Record<(typeof names)[number], string>>;

let current: Palette | undefined;
matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => (current = undefined));

export function palette(): Palette {
  if (current !== undefined) return current;
  const style = getComputedStyle(document.documentElement);
  const colours = names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
  return (current = Object.fromEntries(colours) as Palette);
}

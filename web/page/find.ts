/** The element with this id, which the page has. */
export function find(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

export function findCanvas(id: string): HTMLCanvasElement {
  const element = find(id);
  if (!(element instanceof HTMLCanvasElement)) throw new Error(`#${id} is no canvas`);
  return element;
}

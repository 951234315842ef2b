/** Adds an element to a parent; a text goes in as a text node, so that no string becomes markup. */
export function addElement<Tag extends keyof HTMLElementTagNameMap>(
  parent: HTMLElement | null,
  tag: Tag,
  className = "",
  text = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  parent?.append(element);
  return element;
}

/** A button that is not the default one of a form. */
export function addButton(parent: HTMLElement | null, text: string, onClick: () => void): HTMLButtonElement {
  const button = addElement(parent, "button", "", text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

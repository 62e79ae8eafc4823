// Elements of the page. Whatever is shown goes in as text, never as markup, so that no name of a
// run or a reason of the server can become part of the page.

const SVG = "http://www.w3.org/2000/svg";

/** One element with attributes; children are elements or text. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** One element of a drawing. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Put children in place of what an element held. */
export function refill(target, ...children) {
  target.replaceChildren(...children.map(asNode));
  return target;
}

/** A text, set only when it differs: ten times a second most of them do not. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child != null).map(asNode));
  return made;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

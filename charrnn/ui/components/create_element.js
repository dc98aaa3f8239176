// Creates elements.

/** Create an element. properties: an object (data attributes under `dataset`), or a class name. */
export function create(tag, properties = {}, ...children) {
  const { dataset, ...others } = typeof properties === "string" ? { className: properties } : properties;
  const element = Object.assign(document.createElement(tag), others);
  if (dataset) Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

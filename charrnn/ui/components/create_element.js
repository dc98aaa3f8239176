// Creates elements, fills selects and writes texts.

/** Create an element. properties: an object (data attributes under `dataset`), or a class name. */
export function create(tag, properties = {}, ...children) {
  const { dataset, ...others } = typeof properties === "string" ? { className: properties } : properties;
  const element = Object.assign(document.createElement(tag), others);
  if (dataset) Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

/** Set the text of an element; an equal one stays, which costs no layout. */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

/** Set the options [{name, title}, …] of a select, one of them chosen. Equal options stay, so that an open list does too. */
export function setOptions(select, options, chosen) {
  const isShown = ({ name, title }, i) => select[i].value === String(name) && select[i].textContent === title;
  if (select.length !== options.length || !options.every(isShown)) {
    select.replaceChildren(...options.map(({ name, title }) => new Option(title, name)));
  }
  select.value = chosen;
}

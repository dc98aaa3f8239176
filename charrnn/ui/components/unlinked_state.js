// State that a share link does not carry: a view with such state registers a function that names it.

const names = [];

/** Register name(), which returns what a link would lose now, or "". */
export const registerUnlinked = (name) => names.push(name);

/** Return the names of everything that a link would lose now. */
export const unlinked = () => names.map((name) => name()).filter(Boolean);

/** Return the heading of a view in quotation marks. */
export const headingOf = (element) => "“" + element.querySelector("h2").textContent + "”";

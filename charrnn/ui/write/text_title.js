// What stands over the text: by which unit it is coloured, and the button that takes the colours away.

/** `unit` is its name, null where the text has no colours; `of` what of it the colours show. */
export function showTextTitle(title, unit, of, uncolour) {
  title.replaceChildren("text");
  if (unit === null) return;
  const name = document.createElement("b");
  name.textContent = unit;
  const off = document.createElement("button");
  off.type = "button";
  off.textContent = "×";
  off.className = "cr-uncolour";
  off.setAttribute("aria-label", "Remove the colours");
  off.addEventListener("click", uncolour);
  title.append(", coloured by " + of + " of ", name, " ", off);
}

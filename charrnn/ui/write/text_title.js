// Title above the text: the unit that colors it, and the button that removes the colors.

/** unit: its name, null without colors; of: the quantity shown. */
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

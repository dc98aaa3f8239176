// Prints a page in dark mode with the colors of light mode, and figures that are wider than the paper at its width.

/** Give the drawings of the figures a view box, with which print.css scales them, or take it away. */
function scaleFigures(isPrinted) {
  for (const svg of document.querySelectorAll(".cr-plot .main-svg")) {
    if (isPrinted) svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
    else svg.removeAttribute("viewBox");
  }
}

/** Leave dark mode while the page is printed, and scale its figures. */
export function preparePrint() {
  let wasDark = false;
  window.addEventListener("beforeprint", () => {
    wasDark = document.body.classList.contains("dark");
    document.body.classList.remove("dark");
    scaleFigures(true);
  });
  window.addEventListener("afterprint", () => {
    if (wasDark) document.body.classList.add("dark");
    scaleFigures(false);
  });
}

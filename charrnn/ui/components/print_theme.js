// Prints a page in dark mode with the colors of light mode.

/** Leave dark mode while the page is printed. */
export function printInLight() {
  let wasDark = false;
  window.addEventListener("beforeprint", () => {
    wasDark = document.body.classList.contains("dark");
    document.body.classList.remove("dark");
  });
  window.addEventListener("afterprint", () => wasDark && document.body.classList.add("dark"));
}

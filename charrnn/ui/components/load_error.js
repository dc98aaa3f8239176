// The message of a view whose module could not be loaded; once for all views of a tab.

/** Show in a view that its module could not be loaded. */
export function showLoadError(element, error) {
  const tab = element.closest("[role=tabpanel]") ?? element;
  const line = document.createElement("p");
  line.className = "cr-load-error";
  line.textContent = "This part of the page could not be loaded: reload the page when the server can be reached.";
  line.title = error.message;
  line.setAttribute("role", "alert");
  element.replaceChildren(...(tab.querySelector(".cr-load-error") ? [] : [line]));
}

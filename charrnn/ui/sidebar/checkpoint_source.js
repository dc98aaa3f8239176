// The repository and commit of the models, and the button that looks for newer ones.

/** Set up the lines below the model list; returns a function that shows the server's answer. `refresh` sends the query. */
export function createCheckpointSource(element, refresh) {
  const [box, where, status, button] = ["", "-where", "-said"].map((part) => element.querySelector(".cr-origin" + part))
    .concat(element.querySelector('[data-action="refresh"]'));

  button.addEventListener("click", () => {
    button.disabled = true;
    status.textContent = "Asking the Hub …";
    refresh();
  });

  return function show(origin, answer) {
    box.hidden = !origin;
    if (!origin) return;
    button.disabled = false;
    where.textContent = origin.where;
    where.title = origin.commit;
    status.textContent = answer || origin.notice;
    box.classList.toggle("cr-origin-other", !!origin.notice);
  };
}

// The repository and commit of the models, and the button that checks for newer ones.

/** Set up the lines below the model list; returns a function that shows the server's answer. `refresh` sends the query. */
export function createCheckpointSource(element, refresh) {
  const $ = (selector) => element.querySelector(selector);
  const [box, where, status, button] = [$(".cr-origin"), $(".cr-origin-where"), $(".cr-origin-status"), $('[data-action="refresh"]')];

  button.addEventListener("click", () => {
    button.disabled = true;
    status.textContent = "Checking …";
    refresh();
  });

  return (origin, message) => {
    box.hidden = !origin;
    if (!origin) return;
    button.disabled = false;
    where.textContent = origin.where;
    where.title = origin.commit;
    status.textContent = message || origin.notice;
    box.classList.toggle("cr-origin-other", !!origin.notice);
  };
}

// The drawer with the settings on a phone; the page below it is inert while it is open.

const PHONE = "(max-width: 860px)"; // as in sidebar.css

/** Set up the drawer. On a phone it also contains `share` and `steps`, else these are below and in `actions`. Returns { open, close }. */
export function createDrawer({ settings, opener, closer, actions, steps, share }) {
  const isOpen = () => opener.getAttribute("aria-expanded") === "true";

  function setOpen(open) {
    settings.classList.toggle("cr-drawn", open);
    opener.setAttribute("aria-expanded", String(open));
    for (let node = settings; node !== document.body; node = node.parentElement) {
      for (const other of node.parentElement.children) if (other !== node) other.inert = open;
    }
  }

  function close() {
    if (!isOpen()) return;
    setOpen(false);
    if (opener.offsetParent) opener.focus();
  }

  /** Open the drawer, if there is one, with the focus on an element in it. */
  function open(focused) {
    if (opener.offsetParent) setOpen(true);
    focused.focus();
  }

  opener.addEventListener("click", () => open(settings.querySelector("select")));
  closer.addEventListener("click", close);
  const phone = window.matchMedia(PHONE);
  function place() {
    if (phone.matches) return settings.append(steps, share);
    actions.append(steps);
    return actions.after(share);
  }
  place();
  phone.addEventListener("change", () => {
    close();
    place();
  });
  return { open, close };
}

// The drawer with the settings on a phone; the page below it is inert while it is open.

const PHONE = "(max-width: 860px)"; // as in sidebar.css

/** Set up the drawer, which on a phone also contains `share`; returns a function that closes it. */
export function createDrawer(settings, opener, closer, share) {
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

  opener.addEventListener("click", () => {
    setOpen(true);
    settings.querySelector("select").focus();
  });
  closer.addEventListener("click", close);
  const phone = window.matchMedia(PHONE);
  const actions = share.previousElementSibling;
  const placeShare = () => (phone.matches ? settings.append(share) : actions.after(share));
  placeShare();
  phone.addEventListener("change", () => {
    close();
    placeShare();
  });
  return close;
}

// The notice of the session, over the lower edge of the page on every tab.

import { onConnectionError } from "../components/connection.js";
import { session } from "../session/page_session.js";

/** Show the session's notices and connection errors in this box. */
export function showNotices(box) {
  const show = (notice) => {
    box.hidden = !notice;
    if (!notice) return;
    box.classList.toggle("cr-problem", notice.kind === "problem");
    box.firstElementChild.textContent = notice.text;
  };
  box.querySelector("button").addEventListener("click", () => show(null));
  session.onMessage(({ notice }) => notice !== undefined && show(notice));
  onConnectionError((text) => session.say({ kind: "problem", text }));
}

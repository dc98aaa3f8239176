// The tabs of the static page, with the names, roles and keys that the app's tabs have.

const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** Show the panel of the selected tab; mountIn(panel) is called before a panel is shown for the first time. */
export function showTabs(list, mountIn) {
  const tabs = [...list.children];
  const mounted = new Set([tabs[0]]);
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function select(tab) {
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      panelOf(other).hidden = other !== tab;
    }
    if (mounted.has(tab)) return;
    mounted.add(tab);
    mountIn(panelOf(tab));
  }

  for (const tab of tabs) tab.addEventListener("click", () => select(tab));
  list.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS)) return;
    const at = tabs.indexOf(document.activeElement) + KEYS[event.key];
    const tab = tabs[Math.max(0, Math.min(tabs.length - 1, at))];
    event.preventDefault();
    event.stopPropagation();
    tab.focus();
    tab.click();
  });
  select(tabs[0]);
}

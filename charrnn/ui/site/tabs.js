// The tabs of the static page, with the names and roles that the app's tabs have. sidebar/tab_keys.js moves between them.

/** Show the panel of the selected tab; mountIn(panel) is called before a panel is shown for the first time. */
export function showTabs(list, mountIn) {
  const tabs = [...list.children];
  const mounted = new Set([tabs[0]]);
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function select(tab) {
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      panelOf(other).hidden = other !== tab;
    }
    if (mounted.has(tab)) return;
    mounted.add(tab);
    mountIn(panelOf(tab));
  }

  for (const tab of tabs) tab.addEventListener("click", () => select(tab));
}

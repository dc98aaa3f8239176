// Files, worker and provider of an edition of the page. These are those of the app, whose page is served by Python; the static page
// replaces some of them before its views load.

export const edition = {
  /** Return the URL of a file of the page; a Promise of it for a file that has to be unpacked. */
  fileUrl: (path) => new URL("charrnn/" + path, document.baseURI).href,
  /** Start a worker that runs a module. */
  startWorker: (path) => new Worker(edition.fileUrl(path), { type: "module" }),
  /** Return a Promise of the bytes of a file. */
  async readFile(path) {
    const response = await fetch(edition.fileUrl(path)).catch(() => null); // null: there is no connection
    if (!response?.ok) throw new Error(`${path} could not be loaded (${response ? `status ${response.status}` : "no answer"}): reload the page.`);
    return response.arrayBuffer();
  },
  /** (startEngine, onRunner) -> the provider of the page's text, see session/page_provider.js; null for that of the app. */
  createProvider: null,
  /** The notice beside controls whose answers only Python computes; "" if the page has a server. */
  needsPython: "",
};

// Files, worker and provider of the page. These are those of the app, which Python serves; the static edition replaces some of them
// before its views load.

export const edition = {
  /** Return the URL of a file of the page, or a Promise of it if the file has to be unpacked. */
  fileUrl: (path) => new URL("charrnn/" + path, document.baseURI).href,
  /** Start a worker that runs a module. */
  startWorker: (path) => new Worker(edition.fileUrl(path), { type: "module" }),
  /** Return a Promise of the bytes of a file; an Error if it cannot be loaded. */
  async readFile(path) {
    const response = await fetch(edition.fileUrl(path)).catch(() => null); // null: there is no connection
    if (!response?.ok) throw new Error(`${path} could not be loaded (${response ? `status ${response.status}` : "no answer"}): check the connection, then reload the page.`);
    return response.arrayBuffer();
  },
  /** (startEngine, onRunner) -> the provider of the page's text; null for the app's, session/page_provider.js. */
  createProvider: null,
  /** The notice beside controls whose answers only Python computes; "" if the page has a server. */
  needsPython: "",
};

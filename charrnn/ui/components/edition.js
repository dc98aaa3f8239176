// What an edition of the page provides. These are the values of the app, whose page is served by Python; the static page replaces
// them before its views load.

export const edition = {
  /** Return the URL of a file of the page. */
  fileUrl: (path) => new URL("charrnn/" + path, document.baseURI).href,
  /** (startEngine, onRunner) -> the provider of the page's text, see session/page_provider.js; null for that of the app. */
  createProvider: null,
};
